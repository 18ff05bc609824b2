"""Text as a number: the notation that both engines read exactly."""

from __future__ import annotations

from typing import Final

import polars as pl

DIGITS: Final = 18
DECIMALS: Final = 9
DTYPE: Final = pl.Decimal(38, DECIMALS)
NUMERAL: Final = rf"\A-?[0-9]{{1,{DIGITS}}}(?:\.[0-9]{{1,{DECIMALS}}})?\z"
