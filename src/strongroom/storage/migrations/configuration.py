"""Alembic's configuration, made from data: there is no file to keep in step."""

from pathlib import Path

from alembic.config import Config

HERE = Path(__file__).parent


def configuration(database: Path | None, branch: str) -> Config:
    """Return the configuration for one database file and its history: `main` or `audit`."""
    config = Config()
    config.set_main_option("script_location", _literal(HERE))
    config.set_main_option("version_locations", _literal(HERE / branch))
    config.set_main_option("path_separator", "newline")
    config.attributes["database"] = database
    return config


def _literal(path: Path) -> str:
    """Return a path as an option's text: a percent sign would begin an interpolation."""
    return str(path).replace("%", "%%")
