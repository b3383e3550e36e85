"""What requests and answers hold, as pydantic models: they check the requests and describe both in OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

__all__ = [
    "Choice",
    "CompareAnswer",
    "CompareRequest",
    "ExplainAnswer",
    "ExplainRequest",
    "ExportRequest",
    "Health",
    "Models",
    "PredictAnswer",
    "PredictRequest",
    "ProblemAnswer",
]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text must be a string")
    return value


# Any text at all, lone surrogates too, which pydantic's own strings refuse; how long it may be is a setting of the server.
Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]
Name = Annotated[str, Field(max_length=1_000)]
Top = Annotated[int, Field(ge=0, le=50, description="How many words to list on each side.")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Choice(_Request):
    """How a text is explained."""

    model: Name | None = Field(None, description="A name of GET /api/models; left out: the first.")
    target: Name | Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        "predicted", description="What is explained: predicted, margin, winner, or a class by its name or number."
    )
    rule: Name = Field("default", description="An LRP rule of GET /api/models.")
    gates: Name = Field("all", description="Who takes the relevance of gated products: a name of GET /api/models.")


class ExplainRequest(Choice):
    """One text to explain."""

    text: Text
    top: Top = 8


class CompareRequest(_Request):
    """One text, explained in several ways on one colour scale."""

    text: Text
    choices: list[Choice] = Field(min_length=2, max_length=4)
    top: Top = 8


class ExportRequest(_Request):
    """One text, explained in one way or several, as a file."""

    text: Text
    choices: list[Choice] = Field(min_length=1, max_length=4)
    format: Literal["html", "json", "md", "svg"] = "html"


class PredictRequest(_Request):
    """Texts to classify."""

    texts: list[Text] = Field(min_length=1, max_length=64)
    model: Name | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TokenAnswer(_Answer):
    """A token, and where it stands in the text, in characters (Unicode code points)."""

    text: str | list[str]
    start: int
    end: int


class ExplanationAnswer(_Answer):
    """What `Explanation.to_dict` writes and `Explanation.from_dict` reads."""

    format: str
    version: int
    text: str | list[str]
    tokens: list[TokenAnswer]
    relevance: list[float] = Field(description="One for each token, in the unit of the score.")
    target: str
    score: float
    ledger: dict[str, float] = Field(description="Where the score went; the entries sum to it.")
    prediction: str
    probabilities: dict[str, float]
    known: list[bool] = Field(description="Whether the model knows the token.")
    read_to: int = Field(description="The model read the text up to this character.")
    model: str
    rule: str
    gates: str


class ExplainAnswer(_Answer):
    """An explanation, and what the page draws of it."""

    explanation: ExplanationAnswer
    view: dict[str, Any] = Field(description="Made for the page: pieces of the text with classes and tips; it may change.")
    milliseconds: float


class CompareAnswer(_Answer):
    """Explanations in the order of the choices."""

    answers: list[ExplainAnswer]
    correlation: list[list[float | None]] = Field(
        description="Spearman's rank correlation of the relevances, each with each; null where one says nothing."
    )


class PredictionAnswer(_Answer):
    """A predicted class, and the probability of each."""

    prediction: str
    probabilities: dict[str, float]


class PredictAnswer(_Answer):
    """Predictions in the order of the texts."""

    model: str
    predictions: list[PredictionAnswer]


class ModelAnswer(_Answer):
    """A model that this server offers."""

    name: str
    arch: str
    classes: list[str]
    rule: str = Field(description="What the rule `default` stands for.")


class Named(_Answer):
    """A rule, and when to use it."""

    name: str
    description: str


class Models(_Answer):
    """What a request may name, and the limits it must keep."""

    defaults: dict[str, str] = Field(description="What is taken where a request leaves it out.")
    models: list[ModelAnswer]
    rules: list[Named]
    gates: list[Named]
    limits: dict[str, float]


class Health(_Answer):
    """That the server answers."""

    status: Literal["ok"]
    version: str


class ProblemAnswer(_Answer):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What was wrong, what is allowed, and what to do.")
