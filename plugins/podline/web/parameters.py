"""What the routes take: parameters, each within its bounds."""

from typing import Annotated, Literal

from fastapi import Path, Query

Format = Annotated[Literal["json", "csv"], Query(alias="format")]
Form = Annotated[Literal["html", "ipynb"], Query(alias="form")]
Runs = Annotated[int, Query(ge=1, le=200)]
Limit = Annotated[int, Query(ge=1, le=5000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Search = Annotated[str, Query(max_length=200)]
Id = Annotated[str, Path(max_length=1000)]
GivenId = Annotated[str, Query(max_length=1000)]
MapIndex = Annotated[int, Query(ge=-1, le=1_000_000)]
TryNumber = Annotated[int | None, Query(ge=0, le=100_000)]
Download = Annotated[bool, Query(description="whether a browser saves the answer as a file")]
