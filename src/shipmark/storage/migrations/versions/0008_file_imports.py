"""Files to import: the job, its parts, its rows, and what it changed besides."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0005"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    _imports()
    _parts()
    _rows()
    _effects()


def _imports() -> None:
    op.create_table(
        "file_imports",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=True),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("strict", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("force", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("line", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("layout", sa.Text(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_file_imports_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_imports")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_file_imports_due",
        "file_imports",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )


def _parts() -> None:
    op.create_table(
        "file_parts",
        sa.Column("import_id", ID, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["file_imports.id"], name=op.f("fk_file_parts_import_id")
        ),
        sa.PrimaryKeyConstraint("import_id", "offset", name=op.f("pk_file_parts")),
    )


def _rows() -> None:
    op.create_table(
        "file_rows",
        sa.Column("import_id", ID, nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("reference_id", BY_CODE_POINT, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("column", sa.String(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("of_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], ["file_imports.id"], name=op.f("fk_file_rows_import_id")
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_file_rows")),
    )
    for name, *columns in (
        ("ix_file_rows_place", "import_id", "state", "place", "reference_id"),
        ("ix_file_rows_reference", "import_id", "reference_id"),
        ("ix_file_rows_state", "import_id", "state", "line"),
    ):
        op.create_index(name, "file_rows", columns, unique=False)


def _effects() -> None:
    op.create_table(
        "file_effects",
        sa.Column("import_id", ID, nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("of_id", ID, autoincrement=False, nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], ["file_imports.id"], name=op.f("fk_file_effects_import_id")
        ),
        sa.PrimaryKeyConstraint("import_id", "effect", "of_id", name=op.f("pk_file_effects")),
    )
