"""The studio: a local web page on which people draw, play and watch levels, stepped by the real engine."""

from minicosm.studio.config import Limits, StudioConfig
from minicosm.studio.server import serve
from minicosm.studio.studio import Opening, Studio, opening

__all__ = ["Limits", "Opening", "Studio", "StudioConfig", "opening", "serve"]
