"""Alembic's configuration, made from data: there is no file to keep in step."""

from pathlib import Path

from alembic.config import Config

HERE = Path(__file__).parent


def configuration(database: Path | None, branch: str) -> Config:
    """Return the configuration for one database file and its history: `main` or `audit`."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(HERE / branch))
    config.set_main_option("path_separator", "newline")
    config.attributes["database"] = database
    return config
