"""`telea`: missing pixels by the method of Telea 2004, of OpenCV, radius 3."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.evaluation.filling import Filling


class Telea(Filling):
    name = "telea"
    package: ClassVar[str] = "cv2"
    install: ClassVar[str] = "opencv-python-headless"

    def filled(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        import cv2

        pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
        found = np.asarray(cv2.inpaint(pixels, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA))
        return found.reshape(pixels.shape).transpose(2, 0, 1)
