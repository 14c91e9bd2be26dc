"""Runs -> spans, in the SDK's own memory and in a collector on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import Usage
from pytest_lok.wiring.tracing import RunSpans
from tests.cli.projects import Project
from tests.engine.worlds import Ran, ran, world


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path / "project", capsys)
    made.write("lok.toml", "")
    monkeypatch.chdir(made.root)
    return made


SECRET = "the text of a prompt"
ANSWER = "the text of an answer"


class Traced:
    """A run, and its spans by name."""

    def __init__(self, root: Path, text: str, *backends: Scripted, content: bool = False) -> None:
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        kinds = {"claude": "claude", "gpt": "openai", "local": "scripted"}
        here = replace(
            world(root, *backends),
            observer=lambda: RunSpans(provider.get_tracer("test"), kinds=kinds, content=content),
        )
        self.run: Ran = ran(text, here)
        self.spans = exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


ASK = f'[[steps]]\nname = "ask"\nprompt = "{SECRET}"\nmodel = "opus"\nbackend = "{{}}"\n'


def test_a_run_has_a_span_and_so_has_each_step_and_each_question(tmp_path: Path) -> None:
    usage = Usage(calls=1, input_tokens=10, output_tokens=3, cost_usd=0.5)
    gpt = Scripted("gpt", [ScriptedReply(reply=ANSWER, usage=usage)])
    traced = Traced(tmp_path, ASK.format("gpt"), gpt)
    run, step, question = traced.one("invoke_workflow w"), traced.one("step ask"), traced.one("chat opus")
    assert len(traced.spans) == 3
    assert run.parent is None
    assert step.parent is not None
    assert step.parent.span_id == run.context.span_id
    assert question.parent is not None
    assert question.parent.span_id == step.context.span_id
    assert (run.kind, step.kind, question.kind) == (SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.CLIENT)
    assert attributes(question) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "opus",
        "gen_ai.response.model": "opus",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 3,
        "lok.step": "ask",
        "lok.backend": "gpt",
        "lok.cost_usd": 0.5,
    }
    assert attributes(run)["gen_ai.workflow.name"] == "w"
    assert attributes(run)["lok.cost_usd"] == 0.5
    assert attributes(step) == {"lok.step": "ask", "lok.outcome": "passed", "lok.attempts": 1}
    assert {span.status.status_code for span in traced.spans} == {StatusCode.UNSET}


def test_every_attribute_is_one_of_the_conventions_or_loks_own(tmp_path: Path) -> None:
    local = Scripted("local", [ScriptedReply(match=SECRET, error="timeout", reply="late")])
    known = {value for name, value in vars(gen_ai_attributes).items() if name.isupper()}
    for span in Traced(tmp_path, ASK.format("local"), local, content=True).spans:
        for name in attributes(span):
            assert name in known or name.startswith("lok.") or name == "error.type"


def test_a_tool_is_an_agent(tmp_path: Path) -> None:
    span = Traced(tmp_path, ASK.format("claude"), Scripted("claude", "yes")).one("invoke_agent claude")
    told = attributes(span)
    assert (told["gen_ai.operation.name"], told["gen_ai.agent.name"]) == ("invoke_agent", "claude")
    assert told["gen_ai.provider.name"] == "anthropic"


@pytest.mark.parametrize("content", [False, True])
def test_texts_are_told_only_where_they_are_asked_for(tmp_path: Path, content: bool) -> None:
    text = (
        ASK.format("local")
        + 'assert = ["output == \'x\'"]\n[[steps]]\nname = "no"\nshell = "echo $0 seen; false"\n'
    )
    traced = Traced(tmp_path, text, Scripted("local", ANSWER), content=content)
    told = "".join(span.to_json() for span in traced.spans)
    for said in (SECRET, ANSWER):
        assert (said in told) is content
    assert "seen" not in told
    if content:
        sent = json.loads(attributes(traced.one("chat opus"))["gen_ai.input.messages"])
        assert sent == [{"role": "user", "parts": [{"type": "text", "content": SECRET}]}]


def test_what_went_wrong_is_an_error_with_its_kind(tmp_path: Path) -> None:
    lost = Scripted("local", [ScriptedReply(error="rate_limit", reply="slow down")])
    traced = Traced(tmp_path, ASK.format("local") + "retries = 2\nretry_delay = 0\n", lost)
    question, step, run = traced.one("chat opus"), traced.one("step ask"), traced.one("invoke_workflow w")
    assert [attributes(it)["error.type"] for it in (question, step, run)] == ["rate_limit", "error", "error"]
    assert {it.status.status_code for it in traced.spans} == {StatusCode.ERROR}
    assert [event.name for event in question.events] == ["lok.retry"] * 2


def test_several_answers_steps_that_did_not_run_and_items_have_spans_too(tmp_path: Path) -> None:
    text = (
        '[[steps]]\nname = "each"\nfor_each = [1, 2]\nprompt = "{{ item }}"\nbackend = "local"\nrepeat = 2\n'
        '[[steps]]\nname = "no"\nshell = "false"\n'
        '[[steps]]\nname = "after"\ndepends_on = ["no"]\nshell = "true"\n'
    )
    traced = Traced(tmp_path, text, Scripted("local", "yes"))
    assert sorted(attributes(it)["lok.item"] for it in traced.named("chat")) == [0, 0, 1, 1]
    assert attributes(traced.one("step after"))["lok.outcome"] == "skipped"
    assert attributes(traced.one("invoke_workflow w"))["error.type"] == "failed"


# --- whole processes


class Collector:
    """A server that takes what is exported to it."""

    def __init__(self) -> None:
        self.got: list[ExportTraceServiceRequest] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                got.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    @property
    def names(self) -> list[str]:
        return sorted(
            span.name
            for request in self.got
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )

    @property
    def parents(self) -> set[str]:
        (resource,) = self.got[0].resource_spans
        return {span.trace_id.hex() for scope in resource.scope_spans for span in scope.spans}

    @property
    def services(self) -> set[str]:
        resources = (it.resource for request in self.got for it in request.resource_spans)
        found = (pair for it in resources for pair in it.attributes)
        return {pair.value.string_value for pair in found if pair.key == "service.name"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


SETTINGS = '[otel]\nenabled = true\n[backends.one]\ntype = "scripted"\nreplies = [{ reply = "yes" }]\n'
WORKFLOW = '[[steps]]\nname = "ask"\nprompt = "x"\nbackend = "one"\n'
EXPECTED = ["chat", "invoke_workflow w", "step ask"]


def test_lok_run_exports_to_where_the_environment_says(project: Project, collector: Collector) -> None:
    project.write("lok.toml", SETTINGS.partition("true\n")[2])
    project.workflow("w", WORKFLOW)
    environ = {
        "LOK_OTEL_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server.server_port}",
        "TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    with project.started("w", environ=environ) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "yes\n"), err
    assert collector.names == EXPECTED
    assert collector.services == {"lok"}
    assert collector.parents == {"0af7651916cd43dd8448eb211c80319c"}


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "xdist"])
def test_pytest_exports_too(project: Project, collector: Collector, workers: tuple[str, ...]) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    endpoint = f"http://127.0.0.1:{collector.server.server_port}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--lok", *workers],
        cwd=project.root,
        env={**project.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert collector.names == EXPECTED


def test_a_collector_that_is_not_there_changes_no_verdict(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with project.started("w", environ=environ) as process:
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "yes\n")


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
)
def test_an_exporter_that_is_not_there_is_a_usage_error(project: Project, name: str, value: str) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    with project.started("w", environ={name: value}) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{name}={value} is not known here" in err


def test_without_the_extra_there_is_a_usage_error(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    project.write(
        "hidden/opentelemetry/__init__.py", "raise ModuleNotFoundError('x', name='opentelemetry')\n"
    )
    path = f"{project.root / 'hidden'}:{project.environ['PYTHONPATH']}"
    with project.started("w", environ={"PYTHONPATH": path}) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "pip install 'pytest-lok[otel]'" in err


def test_a_project_does_not_switch_it_on_without_trust(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    del project.environ["LOK_TRUST"]
    done = project.lok("w")
    assert done.code == 2
    assert "otel" in done.err


def test_who_does_not_ask_for_it_imports_nothing_of_it(project: Project) -> None:
    project.write("lok.toml", SETTINGS.replace("true", "false"))
    project.workflow("w", WORKFLOW)
    code = (
        "import sys; from pytest_lok.cli.main import main\n"
        f"main(['w', '-q'], {project.environ!r})\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
