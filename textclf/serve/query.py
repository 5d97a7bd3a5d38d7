"""A request for predictions, and its limits."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from textclf.serve.asgi import Refused
from textclf.system.wording import counted

MOST_TEXTS: Final = 256  # per request
MOST_LABELS: Final = 1000  # per text
MOST_SCORES: Final = 10_000  # per request: texts times top_k
MOST_EXPLAINED: Final = 16  # texts per request with explain
LONGEST_EXPLAINED: Final = 20_000  # characters per text with explain
MOST_EXPLAINED_CHARACTERS: Final = 40_000  # per request with explain
MOST_SMALL_SCORES: Final = 256
MOST_SMALL_CHARACTERS: Final = 50_000
"""A request with more, of either, is large: it is answered by a thread of its own, so that small ones do not wait."""


Share = Annotated[float, Field(ge=0, le=1)]


class Query(BaseModel):
    """One text or a list of texts, and options."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    text: str | None = None
    """One text; or give texts."""
    texts: Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)] | None = None
    """Several texts."""
    top_k: Annotated[int, Field(ge=1, le=MOST_LABELS)] = 1
    """Labels in top, the most probable first."""
    explain: bool = False
    """Whether to add the contribution of each word."""
    reject_below: Share | None = None
    """Give no label that is less probable than this."""
    target_precision: Share | None = None
    """Give only labels of which this share is right on validation documents, and none to texts unlike the corpus."""
    run: str | None = None
    """Name of a served run; without it, the first."""

    @model_validator(mode="after")
    def _is_bounded(self) -> "Query":
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        texts = self.all_texts
        if len(texts) * self.top_k > MOST_SCORES:
            asked = f"{counted(len(texts), 'text')} x top_k {self.top_k}"
            raise ValueError(f"at most {MOST_SCORES:,} labels per request, not {asked}")
        if self.explain and len(texts) > MOST_EXPLAINED:
            raise ValueError(f"explain: at most {MOST_EXPLAINED} texts at a time, not {len(texts)}")
        if self.explain and any(len(text) > LONGEST_EXPLAINED for text in texts):
            raise ValueError(f"explain: a text is longer than {LONGEST_EXPLAINED:,} characters")
        if self.explain and sum(map(len, texts)) > MOST_EXPLAINED_CHARACTERS:
            raise ValueError(f"explain: the texts have more than {MOST_EXPLAINED_CHARACTERS:,} characters together")
        return self

    @property
    def all_texts(self) -> list[str]:
        """The texts, be they one or many."""
        return [self.text] if self.text is not None else self.texts or []

    @property
    def is_large(self) -> bool:
        """Whether the answer takes so long that others should not wait for it."""
        texts = self.all_texts
        return len(texts) * self.top_k > MOST_SMALL_SCORES or sum(map(len, texts)) > MOST_SMALL_CHARACTERS


class FileQuery(BaseModel):
    """The address of a request to label a file, which is its body."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1, max_length=255)]
    """The file's name, whose ending says how it is read."""
    column: Annotated[int, Field(ge=0)] | None = None
    """The place of the column with the texts, from 0; without it, it is found as textclf predict finds it."""
    preview: bool = False
    """Only find the columns, and return them with the first rows, without labels."""
    reject_below: Share | None = None
    """Give no label that is less probable than this."""
    target_precision: Share | None = None
    """Give only labels of which this share is right on validation documents, and none to texts unlike the corpus."""
    run: str | None = None
    """Name of a served run; without it, the first."""


def parse(body: bytes) -> Query:
    """Read a request; raises Refused with the first error, without the text that came with it."""
    with _refusing():
        return Query.model_validate_json(body)


def parse_address(parameters: Mapping[str, str]) -> FileQuery:
    """Read the address of a request to label a file; raises Refused with the first error."""
    with _refusing():
        return FileQuery.model_validate(parameters)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
    else:
        return
    where = ".".join(map(str, detail["loc"]))
    why = detail["msg"].removeprefix("Value error, ")
    raise Refused(400 if detail["type"] == "json_invalid" else 422, f"{where}: {why}" if where else why)
