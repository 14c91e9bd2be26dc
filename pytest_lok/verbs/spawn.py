"""A task -> the workflow that parts it among agents, runs them side by side and sums up what they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_lok.core.results import RunResult
from pytest_lok.dataclass import dataclass
from pytest_lok.verbs.document import asking, some_item_passed, step_name, workflow_text

PLAN, AGENTS, SUMMARY = "plan", "agents", "summary"
_MOST_AGENTS = 4
_PARTS = {
    "type": "array",
    "minItems": 2,
    "maxItems": _MOST_AGENTS,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9 _-]*$"},
            "task": {"type": "string", "minLength": 1},
        },
        "required": ["name", "task"],
    },
}
_PLANNING = """Part this task among {least} to {most} agents that work at the same time and do not see each
other:

{{{{ arg.task }}}}

Each agent has a short name and a task of its own that stands without the others."""
_WORKING = """You are one of several agents that work on this at the same time:

{{{{ arg.task }}}}

Your part, as {name}, is this and nothing else:

{task}"""
_SUMMING = """Several agents have worked on this task at the same time:

{{{{ arg.task }}}}

{results}

Sum up for the person who gave the task: what was done, how the parts fit together, what contradicts, what
is missing. Say of each agent that failed that its part was not done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent that the user named: its ``task``, and whom to ask, the best first."""

    name: str
    task: str
    backends: tuple[str, ...]


def spawn_text(backends: Sequence[str], agents: Sequence[Agent] = ()) -> str:
    """The workflow file; its argument is ``task``. Without ``agents`` a first question makes the plan.

    ``backends`` plan and sum up, and do the planned parts: the first that gives a valid answer, each time.
    """
    if agents:
        working = [_named_agent(agent, at) for at, agent in enumerate(agents, 1)]
        results = "\n\n".join(
            f"{agent.name}, who was to do: {{{{ arg.part_{at} }}}}\n"
            f"{{{{ steps.{step_name('agent', agent.name)}.output }}}}"
            for at, agent in enumerate(agents, 1)
        )
    else:
        working = [_plan(backends), _planned_agents(backends)]
        results = f"Their parts and answers, as JSON:\n{{{{ steps.{AGENTS}.output }}}}"
    doing = [step["name"] for step in working if step["name"] != PLAN]
    summary = {
        "name": SUMMARY,
        **asking(backends),
        "depends_on": doing,
        # an agent that failed makes the run red, and does not hide what the others did
        "min_deps_success": 0 if not agents else 1,
        # where nobody has done anything there is nothing to sum up
        **({} if agents else {"when": some_item_passed(AGENTS)}),
        "prompt": _SUMMING.format(results=results),
    }
    names = [agent.name for agent in agents]
    return workflow_text(
        name="spawn",
        description=f"Agents side by side: {', '.join(names)}" if names else "Agents side by side, by a plan",
        arguments=["task", *part_arguments(agents)],
        steps=[*working, summary],
    )


def part_arguments(agents: Sequence[Agent]) -> dict[str, str]:
    """The arguments that hold the agents' tasks, with their values: a task is data, never a template."""
    return {f"part_{at}": agent.task for at, agent in enumerate(agents, 1)}


def spawn_report(result: RunResult) -> str:
    """Each agent's answer, or why there is none, and the summary."""
    parts = []
    for name, step in result.steps.items():
        if name == PLAN or not (step.ran or step.items):
            continue
        if name == SUMMARY:
            said = step.output if step.passed else f"There is none: {step.reason}"
            parts.append(f"## Summary\n\n{said}")
        elif step.items:
            parts += [
                f"## {_item_name(item.item)}\n\n"
                + (item.output if not item.outcome.red else f"Failed: {item.reason}")
                for item in step.items
            ]
        else:
            said = step.output if step.passed else f"Failed: {step.reason}"
            parts.append(f"## {name.removeprefix('agent-')} ({step.backend or 'nobody'})\n\n{said}")
    return "\n\n".join(parts)


def _plan(backends: Sequence[str]) -> dict[str, Any]:
    prompt = _PLANNING.format(least=2, most=_MOST_AGENTS)
    return {"name": PLAN, **asking(backends), "output_schema": _PARTS, "prompt": prompt}


def _planned_agents(backends: Sequence[str]) -> dict[str, Any]:
    return {
        "name": AGENTS,
        **asking(backends),
        "for_each": f"steps.{PLAN}.output",
        "prompt": _WORKING.format(name="{{ item.name }}", task="{{ item.task }}"),
    }


def _named_agent(agent: Agent, at: int) -> dict[str, Any]:
    return {
        "name": step_name("agent", agent.name),
        **asking(agent.backends),
        "prompt": _WORKING.format(name=agent.name, task=f"{{{{ arg.part_{at} }}}}"),
    }


def _item_name(item: object) -> str:
    return str(item.get("name", "agent")) if isinstance(item, Mapping) else "agent"
