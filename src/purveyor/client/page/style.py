"""How the agent's page looks: one small style sheet for light and dark, narrow and wide; nothing from elsewhere."""

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --sheet: #ffffff; --ink: #1d2328; --quiet: #525c66; --line: #d9dde0;
  --accent: #0b5a73; --on-accent: #ffffff; --notice: #fff4d6; --notice-line: #b98900; --bad: #a0231b; --good: #1f6b3a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181b; --sheet: #1c2226; --ink: #e8ecee; --quiet: #a9b4bc; --line: #39434a;
    --accent: #7cc7de; --on-accent: #0d1417; --notice: #37300f; --notice-line: #d9a92b; --bad: #ff9d92; --good: #86d7a3;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, "DejaVu Sans", sans-serif; }
header, main, footer { max-width: 52rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.5rem; }
main { margin-top: 1.25rem; }
footer { padding-bottom: 2rem; color: var(--quiet); font-size: .9rem; }
.site { margin: 0; color: var(--quiet); font-size: .95rem; }
h1 { margin: .2rem 0 .8rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .6rem; font-size: 1.15rem; }
h3 { margin: 0; font-size: 1.05rem; }
p { margin: .4rem 0; }
a { color: var(--accent); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; padding: 0 0 .6rem; list-style: none;
  border-bottom: 1px solid var(--line); }
nav a { display: inline-block; padding: .25rem 0; text-decoration: none; }
nav a[aria-current] { color: var(--ink); font-weight: 600; box-shadow: 0 2px 0 var(--accent); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; padding: .5rem .75rem; background: var(--sheet); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
.card, .notice { margin: 0 0 .9rem; padding: 1rem 1.15rem; background: var(--sheet); border: 1px solid var(--line);
  border-radius: .5rem; }
.notice h2 { margin: 0 0 .3rem; }
.notice { background: var(--notice); border-color: var(--notice-line); }
.bad { border-color: var(--bad); }
.by, .quiet { color: var(--quiet); font-size: .93rem; }
.state { font-weight: 600; }
.failed { color: var(--bad); }
.succeeded { color: var(--good); }
.actions { display: flex; flex-wrap: wrap; gap: .6rem 1.25rem; align-items: end; margin-top: .8rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: 0; min-width: 0; max-width: 100%; }
form > div { min-width: 0; max-width: 100%; }
label { display: block; font-size: .9rem; color: var(--quiet); }
button, input, select { max-width: 100%; min-height: 2.5rem;
  padding: .4rem .8rem; font: inherit; color: var(--ink); background: var(--sheet);
  border: 1px solid var(--quiet); border-radius: .35rem; }
button { cursor: pointer; }
button.first { color: var(--on-accent); background: var(--accent); border-color: var(--accent); }
details { margin-top: .6rem; }
summary { cursor: pointer; color: var(--accent); }
details form { margin-top: .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
h1, h3, p, td { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
caption { padding-bottom: .4rem; text-align: left; color: var(--quiet); }
th, td { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media (prefers-reduced-motion: no-preference) { a, button { transition: background-color .15s, color .15s; } }
"""
