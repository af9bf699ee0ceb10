"""Writes grey.jpg, a picture of 40 x 36 pixels, (3 x + y) mod 256: the smallest JPEG that tests of the decoder need. Needs Pillow."""

import pathlib

from PIL import Image

picture = Image.new("L", (40, 36))
picture.putdata([(3 * x + y) % 256 for y in range(36) for x in range(40)])
picture.save(pathlib.Path(__file__).with_name("grey.jpg"), quality=90)
