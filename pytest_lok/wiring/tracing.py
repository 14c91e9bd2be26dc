"""Events of a run -> OpenTelemetry spans: one of the run, one of each step, one of each question.

The names are those of the semantic conventions for generative AI, which are still in development. What only
lok knows begins with ``lok.``. No span holds a text of others, unless the settings ask for content.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pytest_lok.core.events import (
    BackendAsked,
    BackendRefused,
    BackendReplied,
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetrying,
    StepStarted,
)
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError
from pytest_lok.settings import CLI_TYPES, Settings
from pytest_lok.version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context

Attributes: TypeAlias = dict[str, str | int | float | bool]
Question: TypeAlias = tuple[str, str, int | None]
"""A question's step, backend and item."""

_PROVIDERS: Mapping[str, str] = {
    "claude": "anthropic",
    "anthropic": "anthropic",
    "codex": "openai",
    "openai": "openai",
    "gemini": "gcp.gemini",
    "gemini-api": "gcp.gemini",
    "bedrock": "aws.bedrock",
}
"""``gen_ai.provider.name`` by the type of a backend; of other types it is the type itself."""
_RED = (Outcome.FAILED, Outcome.ERROR)


def observer_of(settings: Settings, environ: Mapping[str, str]) -> Callable[[], RunSpans]:
    """What makes an observer for each run; UsageError if the environment asks for what is not there.

    The SDK reads the other variables of its own from the process's environment.
    """
    kinds = {name: backend.type for name, backend in settings.backends.items()}
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    provider = _provider(environ.get("OTEL_TRACES_EXPORTER") or "otlp", protocol or "http/protobuf")
    tracer, parent = provider.get_tracer("pytest-lok", __version__), _parent(environ)
    return lambda: RunSpans(tracer, kinds=kinds, content=settings.otel.content, parent=parent)


@dataclass(slots=True)
class RunSpans:
    """The spans of one run, each begun and ended when its event comes. Call it with every event, in order.

    ``kinds`` has the types of backends by their names. ``content``: prompts and answers are attributes.
    ``parent`` is the span that the run belongs to, None = the run is a trace of its own.
    """

    tracer: Tracer
    kinds: Mapping[str, str] = field(default_factory=dict)
    content: bool = False
    parent: Context | None = None
    _run: Span | None = None
    _steps: dict[str, Span] = field(default_factory=dict)
    _questions: dict[Question, list[Span]] = field(default_factory=dict)
    _retries: dict[tuple[str, int | None], int] = field(default_factory=dict)
    _cost: float | None = None
    _red: str = ""

    def __call__(self, event: Event) -> None:
        """Begin or end what the event is about."""
        match event:
            case RunStarted():
                self._begin_run(event)
            case StepStarted(step=step):
                self._begin_step(step)
            case BackendAsked():
                self._ask(event)
            case StepRetrying(step=step, item=item):
                self._retries[step, item] = self._retries.get((step, item), 0) + 1
            case BackendReplied():
                self._reply(event)
            case BackendRefused(step=step, refusal=refusal, item=item):
                span = self._taken((step, refusal.backend, item))
                span = span or self._begin_question(step, refusal.backend, "", item)
                self._fail(span, refusal.kind)
            case StepFinished(result=result):
                self._end_step(result)
            case RunFinished(interrupted=interrupted):
                self._end_run("interrupted" if interrupted else self._red)
            case _:
                pass

    def _begin_run(self, event: RunStarted) -> None:
        if self._run is not None:  # a run that another process takes over starts again
            return
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": event.workflow,
            "lok.run_id": event.run_id,
            "lok.workflow_sha256": event.sha256,
        }
        name = f"invoke_workflow {event.workflow}"
        self._run = self.tracer.start_span(name, self.parent, attributes=attributes)

    def _begin_step(self, name: str) -> Span:
        if name not in self._steps:
            within = set_span_in_context(self._run) if self._run is not None else self.parent
            self._steps[name] = self.tracer.start_span(f"step {name}", within, attributes={"lok.step": name})
        return self._steps[name]

    def _ask(self, event: BackendAsked) -> None:
        question, pending = (event.step, event.backend, event.item), (event.step, event.item)
        open_ones = self._questions.setdefault(question, [])
        if open_ones and self._retries.get(pending):
            # the span of a question covers all attempts at it
            self._retries[pending] -= 1
            open_ones[0].add_event("lok.retry")
            return
        span = self._begin_question(event.step, event.backend, event.model, event.item)
        if self.content:
            span.set_attribute("gen_ai.input.messages", _message("user", event.prompt))
        open_ones.append(span)

    def _begin_question(self, step: str, backend: str, model: str, item: int | None) -> Span:
        kind = self.kinds.get(backend, backend)
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS.get(kind, kind),
            "lok.step": step,
            "lok.backend": backend,
        }
        name = f"chat {model}" if model else "chat"
        if kind in CLI_TYPES:
            # a command line tool is an agent, which may ask its model many times
            attributes |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": backend}
            name = f"invoke_agent {backend}"
        attributes |= {"gen_ai.request.model": model} if model else {}
        attributes |= {"lok.item": item} if item is not None else {}
        within = set_span_in_context(self._begin_step(step))
        return self.tracer.start_span(name, within, kind=SpanKind.CLIENT, attributes=attributes)

    def _reply(self, event: BackendReplied) -> None:
        reply, usage = event.reply, event.reply.usage
        span = self._taken((event.step, reply.backend, event.item))
        span = span or self._begin_question(event.step, reply.backend, "", event.item)
        known = {
            "gen_ai.response.model": reply.model or None,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "lok.cost_usd": usage.cost_usd,
            "lok.cached": reply.cached or None,
            "gen_ai.output.messages": _message("assistant", reply.text) if self.content else None,
        }
        for name, value in known.items():
            if value is not None:
                span.set_attribute(name, value)
        span.end()
        if usage.cost_usd is not None:
            self._cost = (self._cost or 0.0) + usage.cost_usd

    def _taken(self, question: Question) -> Span | None:
        """The span of the question that has been open for longest, which is no longer open."""
        open_ones = self._questions.get(question)
        return open_ones.pop(0) if open_ones else None

    def _fail(self, span: Span, kind: str) -> None:
        span.set_attribute("error.type", kind.replace(" ", "_"))
        span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _end_step(self, result: StepResult) -> None:
        for question, open_ones in self._questions.items():
            if question[0] == result.name:
                for span in open_ones:  # it was cancelled, or its failure was the step's own
                    self._fail(span, "no answer")
                open_ones.clear()
        span = self._begin_step(result.name)
        span.set_attribute("lok.outcome", result.outcome.value)
        span.set_attribute("lok.attempts", result.attempts)
        if result.findings is not None:
            span.set_attribute("lok.findings", len(result.findings))
        if result.outcome in _RED:
            # a failed step outweighs one that could not do its work
            self._red = "failed" if "failed" in (self._red, result.outcome.value) else "error"
            self._fail(span, result.outcome.value)
        else:
            span.end()
        del self._steps[result.name]

    def _end_run(self, red: str) -> None:
        span, self._run = self._run, None
        if span is None:
            return
        for step in list(self._steps.values()):
            self._fail(step, "interrupted")
        self._steps.clear()
        if self._cost is not None:
            span.set_attribute("lok.cost_usd", self._cost)
        if red:
            self._fail(span, red)
        else:
            span.end()


def _message(role: str, text: str) -> str:
    """A message as the conventions have it, as JSON: an attribute cannot hold objects."""
    said = [{"role": role, "parts": [{"type": "text", "content": text}]}]
    return json.dumps(said, ensure_ascii=False)


def _parent(environ: Mapping[str, str]) -> Context | None:
    """The span that the environment names, as CI servers and shells hand it on; None = there is none."""
    if "TRACEPARENT" not in environ:
        return None
    carrier = {name.lower(): environ.get(name, "") for name in ("TRACEPARENT", "TRACESTATE")}
    return TraceContextTextMapPropagator().extract(carrier)


@functools.cache
def _provider(exporter: str, protocol: str) -> TracerProvider:
    """The provider of this process: the program's own if it has one, else one that exports by OTLP.

    It exports on a thread, and what is left when the process ends.
    """
    own = trace.get_tracer_provider()
    if isinstance(own, TracerProvider):
        return own
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "lok"}))
    provider = TracerProvider(resource=resource)
    if exporter == "otlp":
        if protocol != "http/protobuf":
            raise UsageError(
                f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not known here", hint="http/protobuf is"
            )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    elif exporter != "none":
        raise UsageError(f"OTEL_TRACES_EXPORTER={exporter} is not known here", hint="one of: otlp, none")
    return provider
