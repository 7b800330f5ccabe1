"""The tests mirror the tree: whoever reads a module finds its test under the same name."""

from __future__ import annotations

from pathlib import Path

from tests.architecture.graph import ROOT, sources

UNIT = ROOT / "tests" / "unit"
PORTS = ("port", "ports", "handler")
"""A port has no behaviour; a contract in `tests/conformance` holds its adapters to it."""
TYPES = {
    "agents.tools.sandbox.machine",
    "cluster.kernel.clock",
    "cluster.kernel.decisions",
    "cluster.kernel.delivery.dead_letters",
    "cluster.kernel.events",
    "cluster.kernel.cache_statistics",
    "cluster.kernel.conversation",
    "cluster.kernel.lookup",
    "cluster.kernel.preparing",
    "cluster.kernel.registration",
    "cluster.kernel.roles",
    "cluster.kernel.second_look",
    "cluster.kernel.submission",
    "cluster.kernel.tail.hedged_call",
    "cluster.kernel.routing",
    "cluster.kernel.topic_news",
    "cluster.kernel.trace",
    "cluster.kernel.usage",
    "cluster.kernel.vocabulary",
    "cluster.memory.knowledge.records",
    "cluster.memory.state.entries",
    "cluster.placement.actor.host_spec",
    "cluster.placement.local.request",
    "cluster.placement.serving.replica_spec",
}
"""Values with at most a line of behaviour, which the tests of all that uses them go through."""
ELSEWHERE = {
    # A part of what its user does: no caller sees it otherwise.
    "agents.evidence.data.cells": "unit/agents/evidence/data/test_rows.py",
    "agents.evidence.data.row_values": "unit/agents/evidence/data/test_row_verdict.py",
    "agents.models.endpoint.proxies": "integration/models/test_endpoint_ways.py",
    "agents.models.endpoint.unreached": "integration/models/test_endpoint_ways.py",
    "agents.models.bill": "unit/agents/models/test_tails.py",
    "agents.models.reply": "unit/agents/test_agent.py",
    "agents.planning.drafts": "unit/agents/planning/test_plan_text.py",
    "agents.planning.fitting": "unit/agents/planning/test_mending.py",
    "agents.planning.needs": "unit/agents/planning/test_mending.py",
    "agents.programs.brief": "unit/agents/programs/test_candidates.py",
    "agents.programs.words": "unit/agents/programs/test_output.py",
    "cluster.__main__": "unit/cluster/test_import_path.py",
    "cluster.cli.board": "unit/cluster/cli/test_progress.py",
    "cluster.cli.console": "unit/cluster/cli/test_entry.py",
    "cluster.cli.following": "unit/cluster/cli/test_run.py",
    "cluster.cli.machine_flags": "unit/cluster/cli/test_doctor.py",
    "cluster.cli.task_flags": "unit/cluster/cli/test_tasks.py",
    "cluster.driver_link": "integration/test_left_tasks.py",
    "cluster.doctor.services": "integration/test_doctor.py",
    "cluster.cli.documents": "unit/cluster/cli/test_sharing.py",
    "cluster.cli.exits": "unit/cluster/cli/test_entry.py",
    "cluster.cli.help_texts": "unit/cluster/cli/test_entry.py",
    "cluster.cli.ending": "unit/cluster/cli/test_entry.py",
    "cluster.cli.knowledge": "integration/test_knowledge_commands.py",
    "cluster.cli.learn": "integration/test_knowledge_commands.py",
    "cluster.cli.options": "unit/cluster/cli/test_entry.py",
    "cluster.cli.serve": "integration/test_serve_command.py",
    "cluster.cli.serve_options": "integration/test_serve_command.py",
    "cluster.cli.state": "integration/test_state_command.py",
    "cluster.cli.tokens": "integration/test_tokens_command.py",
    "cluster.task": "unit/cluster/test_client.py",
    "cluster.settings.toml_table": "unit/cluster/settings/test_config_file.py",
    "cluster.kernel.errors": "architecture/test_errors.py",
    "cluster.kernel.tail.hedging": "unit/cluster/kernel/tail/test_hedger.py",
    "cluster.kernel.tail.lateness": "unit/cluster/kernel/tail/test_hedger.py",
    "cluster.kernel.state.merging": "unit/cluster/kernel/state/test_policies.py",
    "cluster.memory.cache.builder": "integration/test_segments.py",
    "cluster.memory.cache.building": "unit/cluster/memory/cache/test_segment.py",
    "cluster.memory.cache.build_child": "integration/test_segments.py",
    "cluster.memory.cache.copy": "unit/cluster/memory/cache/test_knowledge_cache.py",
    "cluster.memory.cache.delta": "unit/cluster/memory/cache/test_view.py",
    "cluster.memory.cache.filters": "unit/cluster/memory/cache/test_view.py",
    "cluster.memory.cache.node_segments": "integration/test_segments.py",
    "cluster.memory.cache.puts": "unit/cluster/memory/cache/test_view.py",
    "cluster.memory.cache.rows": "unit/cluster/memory/cache/test_view.py",
    "cluster.memory.cache.segment_meta": "unit/cluster/memory/cache/test_segments.py",
    "cluster.memory.cache.source_table": "unit/cluster/memory/cache/test_segment.py",
    "cluster.memory.cache.words": "unit/cluster/memory/cache/test_bm25.py",
    "cluster.memory.state.marks": "conformance/test_state_log.py",
    "cluster.runtime.sharing.fault_watch": "unit/cluster/runtime/tasks/test_broken_policies.py",
    "cluster.runtime.sharing.sharing_turn": "unit/cluster/runtime/turns/test_shared_state.py",
    "cluster.runtime.sharing.views": "unit/cluster/runtime/sharing/test_shared_documents.py",
    "cluster.state.reading": "unit/cluster/runtime/sharing/test_shared_documents.py",
    "cluster.memory.state.host.attempt": "unit/cluster/memory/state/host/test_documents.py",
    "cluster.memory.state.host.follower": "unit/cluster/memory/state/host/test_documents.py",
    "cluster.memory.state.host.pending": "unit/cluster/memory/state/host/test_document.py",
    "cluster.memory.child_process": "integration/test_conversion.py",
    "cluster.memory.knowledge.chunking.page": "unit/cluster/memory/knowledge/chunking/test_pack.py",
    "cluster.memory.knowledge.chunking.syntax": (
        "unit/cluster/memory/knowledge/chunking/test_examples.py"
    ),
    "cluster.memory.knowledge.folders": "unit/cluster/memory/knowledge/test_sources.py",
    "cluster.memory.knowledge.conversion.child": "integration/test_conversion.py",
    "cluster.memory.knowledge.conversion.converter": "integration/test_conversion.py",
    "cluster.placement.jobs.client": "unit/cluster/placement/jobs/test_submit.py",
    "cluster.runtime.driver.access": "unit/cluster/test_client.py",
    "cluster.runtime.driver.driver": "unit/cluster/runtime/driver/test_endings.py",
    "cluster.runtime.driver.handover": "unit/cluster/runtime/driver/test_endings.py",
    "cluster.runtime.driver.submitted": "unit/cluster/runtime/driver/test_endings.py",
    "cluster.runtime.host": "unit/cluster/runtime/tasks/test_recovery.py",
    "cluster.runtime.messaging.arrivals": "unit/cluster/runtime/messaging/test_exchange.py",
    "cluster.runtime.messaging.asks": "unit/cluster/runtime/messaging/test_exchange.py",
    "cluster.runtime.messaging.peers": "unit/cluster/runtime/messaging/test_links.py",
    "cluster.runtime.messaging.wanted": "unit/cluster/runtime/messaging/test_exchange.py",
    "cluster.runtime.messaging.watcher": "unit/cluster/runtime/messaging/test_links.py",
    "cluster.runtime.messaging.sender": "unit/cluster/runtime/messaging/test_silence.py",
    "cluster.runtime.tasks.claimant": "unit/cluster/runtime/tasks/test_recovery.py",
    "cluster.runtime.tasks.step_run": "unit/cluster/runtime/tasks/test_engine.py",
    "cluster.runtime.tasks.task_run": "unit/cluster/runtime/tasks/test_engine.py",
    "cluster.runtime.tasks.task_story": "unit/cluster/runtime/tasks/test_engine.py",
    "cluster.runtime.turns.replies": "unit/cluster/runtime/turns/test_runner.py",
    "cluster.runtime.turns.running_turn": "unit/cluster/runtime/turns/test_runner.py",
    "cluster.runtime.turns.turn_body": "unit/cluster/runtime/turns/test_runner.py",
    "cluster.runtime.turns.work": "unit/cluster/runtime/turns/test_runner.py",
    "cluster.serving.completion": "unit/cluster/serving/test_chat.py",
    "cluster.serving.orders": "unit/cluster/serving/test_app.py",
    "cluster.serving.response_story": "unit/cluster/serving/test_responses.py",
    "cluster.settings.addresses": "unit/cluster/settings/test_sources.py",
    "cluster.serving.task_models": "unit/cluster/serving/test_task_begin.py",
    "cluster.serving.task_result": "unit/cluster/serving/test_openapi.py",
    "cluster.settings.secrets": "unit/cluster/settings/test_sources.py",
    "cluster.wire.dead_letters": "unit/cluster/runtime/messaging/test_dead_letters.py",
    "cluster.wire.registration": "unit/cluster/memory/test_directory.py",
    # An adapter, held to its port's contract.
    "cluster.memory.feed.local": "conformance/test_feed.py",
    "cluster.memory.feed.redis": "conformance/test_feed.py",
    "cluster.memory.journal.redis": "conformance/test_journal.py",
    "cluster.memory.store.redis_server": "integration/test_redis_server.py",
    "cluster.memory.journal.quotes": "integration/test_quotes.py",
    "cluster.memory.namespaces.local": "conformance/test_namespaces.py",
    "cluster.memory.namespaces.redis": "conformance/test_namespaces.py",
    "cluster.memory.namespaces.redis_feed": "conformance/test_namespaces.py",
    "cluster.memory.state.limits": "conformance/test_state_log.py",
    "cluster.memory.state.local": "conformance/test_state_log.py",
    "cluster.memory.state.redis": "conformance/test_state_log.py",
    "cluster.memory.state.scripts": "conformance/test_state_log.py",
    "cluster.state.nodes": "unit/cluster/state/test_schema.py",
    "cluster.memory.store.redis": "conformance/test_store.py",
    "cluster.memory.store.redis_scripts": "conformance/test_store.py",
    "cluster.memory.task_records.local": "conformance/test_task_records.py",
    "cluster.memory.task_records.redis": "conformance/test_task_records.py",
    "cluster.transport.grpc_exchange": "conformance/test_transport.py",
    "cluster.transport.in_memory": "conformance/test_transport.py",
    # A shell around processes, sockets or Ray: what could be tested without them is tested there.
    "cluster.memory.store.tls_mismatch": "integration/test_redis_tls.py",
    "cluster.memory.store.server_socket": "integration/test_embedded_redis.py",
    "cluster.memory.store.users_store": "integration/test_embedded_redis.py",
    "agents.models.endpoint.http_client": "integration/models/test_proxies.py",
    "agents.models.endpoint.trouble": "integration/models/test_openai_compatible.py",
    "agents.models.local.command": "integration/models/test_local_models.py",
    "agents.models.local.side_process": "integration/models/test_proxies.py",
    "agents.tools.sandbox.job": "integration/test_sandbox.py",
    "agents.tools.sandbox.process": "integration/test_sandbox.py",
    "cluster.placement.actor.assembly": "integration/test_assembly.py",
    "cluster.placement.actor.launcher": "integration/test_ray_placement.py",
    "cluster.placement.local.cluster_parts": "integration/test_local_cluster.py",
    "cluster.placement.local.cluster_process": "integration/test_local_cluster.py",
    "cluster.placement.local.local_cluster": "integration/test_local_cluster.py",
    "cluster.placement.ray.session": "integration/test_ray_placement.py",
    "cluster.placement.resident.process": "integration/test_local_cluster.py",
    "cluster.placement.serve": "integration/test_serve_application.py",
    "cluster.placement.serving.assembly": "integration/test_serving.py",
    "cluster.placement.serving.replica": "integration/test_serve_replica.py",
    "cluster.placement.serving.rollout": "integration/test_serving.py",
}
"""Modules without a test of their own, and the file that tests them."""


def mirror(module: str) -> Path:
    """Where a module's own test is to be."""
    *folders, name = module.split(".")
    return UNIT.joinpath(*folders) / f"test_{name}.py"


def untested() -> set[str]:
    """Modules without a mirror, packages and ports left out."""
    return {
        module
        for module, path in sources().items()
        if path.name != "__init__.py" and path.stem not in PORTS and not mirror(module).exists()
    }


def test_every_module_has_its_mirror_or_says_who_tests_it() -> None:
    assert untested() == TYPES | ELSEWHERE.keys()


def test_whoever_is_said_to_test_a_module_is_there() -> None:
    gone = [path for path in ELSEWHERE.values() if not (ROOT / "tests" / path).exists()]

    assert gone == []


def test_no_test_lies_in_a_folder_that_the_tree_does_not_have() -> None:
    beside = {UNIT / "agents" / "languages"}  # whole tasks, one file a language
    astray = {
        path.parent
        for package in ("agents", "cluster")
        for path in (UNIT / package).rglob("test_*.py")
        if not (ROOT / path.parent.relative_to(UNIT)).is_dir()
    }

    assert astray == beside
