"""The history of the site's tables, as alembic runs it. A step that was released is never changed."""
