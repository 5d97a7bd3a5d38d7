import re

import pytest

from textclf.system import style

COLOUR = re.compile(r"--([\w-]+): #([0-9a-f]{6});")
LIGHT, DARK = (
    {name: bytes.fromhex(digits) for name, digits in COLOUR.findall(part)}
    for part in style.sheet().split("@media (prefers-color-scheme: dark)")
)


def contrast(first: bytes, second: bytes) -> float:
    """The contrast ratio of two sRGB colours, 1 to 21: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    darker, lighter = sorted(map(luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: bytes) -> float:
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_is_that_of_the_definition():
    assert contrast(b"\0\0\0", b"\xff\xff\xff") == pytest.approx(21)
    assert contrast(bytes.fromhex("777777"), b"\xff\xff\xff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "card"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "accent", "bad"])
def test_text_can_be_read(ink, ground, colours):
    assert contrast(colours[ink], colours[ground]) >= 4.5


def test_the_sheet_needs_nothing_else():
    assert not re.search(r"@import|url\(", style.sheet())
    used, known = set(re.findall(r"var\(--([\w-]+)\)", style.sheet())), set(re.findall(r"--([\w-]+):", style.sheet()))
    assert used - known == {"share"}  # which a bar gives
