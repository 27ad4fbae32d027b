"""Runs the migrations on the connection, and in the transaction, that `Database.migrate` passes on."""

from alembic import context

from purveyor.site_server.database.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True)
context.run_migrations()
