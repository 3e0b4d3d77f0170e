"""temporary"""


def font_digest() -> str:
    return "temporary"
