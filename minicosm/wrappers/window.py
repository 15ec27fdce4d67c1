"""A window that shows pictures, for render mode "human" where the interface's package brings none."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np


class Window:
    """Shows frames u8[height, width, 3] at up to `fps` a second. Raises ImportError where pygame is missing."""

    def __init__(self, title: str, fps: int) -> None:
        if importlib.util.find_spec("pygame") is None:
            raise ImportError('render mode "human" needs pygame: pip install "minicosm[window]"')
        import pygame

        pygame.display.init()
        pygame.display.set_caption(title)
        self._clock = pygame.time.Clock()
        self._fps = fps
        self._screen: Any = None

    def show(self, frame: np.ndarray[Any, Any]) -> None:
        """Show `frame`, waiting until the last has been seen for its time."""
        import pygame

        size = (frame.shape[1], frame.shape[0])
        if self._screen is None or self._screen.get_size() != size:
            self._screen = pygame.display.set_mode(size)
        pygame.surfarray.blit_array(self._screen, frame.swapaxes(0, 1))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window."""
        import pygame

        pygame.display.quit()
