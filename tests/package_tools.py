"""Package files made by the tools of their own systems: dpkg-deb, rpmbuild, wixl."""

import shutil
import subprocess
from pathlib import Path

import pytest

PRODUCT_CODE = "{ABCDDCBA-7349-453F-94F6-BCB5110BA4FD}"
CONTROL = """Package: purveyor-sample
Version: 1:2.0-1
Architecture: all
Maintainer: Ann Example <ann@example.org>
Description: A sample
 of more than one line
"""
SPEC = """Name: purveyor-sample
Epoch: 2
Version: 1.5
Release: 3
Summary: A sample
Vendor: Ann Example
License: MIT
BuildArch: noarch
Requires: bash >= 4
%description
More.
%files
"""
PRODUCT = f"""<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Name="Sämple" Id="{PRODUCT_CODE.strip("{}")}" UpgradeCode="BADDCAFE-7349-453F-94F6-BCB5110BA4FD" Language="1033"
      Codepage="1252" Version="1.2.3" Manufacturer="Ann &amp; Co">
    <Package Id="*" Manufacturer="Ann" InstallerVersion="100" Languages="1033" Compressed="yes" SummaryCodepage="1252"/>
    <Property Id="ALLUSERS" Value="1"/>
    <Media Id="1" Cabinet="s.cab" EmbedCab="yes"/>
    <Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="ProgramFilesFolder"><Directory Id="D" Name="S">
      <Component Id="C" Guid="ABCDDCBA-83F1-4F22-985B-FDB3C8ABD471">
        <File Id="F" Name="a.txt" Source="a.txt" KeyPath="yes"/>
      </Component>
    </Directory></Directory></Directory>
    <Feature Id="Complete" Level="1"><ComponentRef Id="C"/></Feature>
  </Product>
</Wix>
"""


def tool(command: str, package: str) -> str:
    """Where a tool lies; a test that needs it fails without."""
    found = shutil.which(command)
    assert found is not None, f"these tests need {command}: apt install {package}"
    return found


def deb_file(folder: Path, *, compression: str = "xz", control: str = CONTROL) -> Path:
    """A Debian package with one file, which says what it is."""
    tree = folder / f"tree-{compression}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(control)
    (tree / "opt/purveyor-sample").mkdir(parents=True)
    (tree / "opt/purveyor-sample/version").write_text("2.0\n")
    made = folder / f"purveyor-sample {compression}.deb"
    words = ("--root-owner-group", "--uniform-compression", f"-Z{compression}", "--build", str(tree), str(made))
    subprocess.run([tool("dpkg-deb", "dpkg"), *words], check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def rpm_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RPM package without files."""
    folder = tmp_path_factory.mktemp("rpm")
    (folder / "sample.spec").write_text(SPEC)
    words = ("--quiet", "--define", f"_topdir {folder}", "-bb", str(folder / "sample.spec"))
    subprocess.run([tool("rpmbuild", "rpm"), *words], check=True, capture_output=True)
    return next(folder.glob("RPMS/*/*.rpm"))


@pytest.fixture(scope="session")
def msi_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Windows Installer package with one file."""
    folder = tmp_path_factory.mktemp("msi")
    (folder / "a.txt").write_text("a")
    (folder / "sample.wxs").write_text(PRODUCT)
    words = ("-o", "sample.msi", "sample.wxs")
    subprocess.run([tool("wixl", "wixl"), *words], cwd=folder, check=True, capture_output=True)
    return folder / "sample.msi"
