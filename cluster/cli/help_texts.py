"""What `--help` says beside the flags: what each command is for, and how one uses it.

Used by `cluster.cli.options`.
"""

from __future__ import annotations

DESCRIPTION = """\
A cluster of language-model agents: a Manager plans, a Researcher answers from your documents with
citations, a Coder writes a program and runs it in a sandbox. You watch them think.
"""
EPILOG = """\
examples:
  fleetmind run "How do I ... ? Show a program." --knowledge docs/
  fleetmind up                     keep a cluster running; `run` then starts in under a second
  fleetmind run "..." --detach     leave the task to it; `fleetmind watch TASK` follows it
  fleetmind models pull smollm2-135m
  fleetmind doctor                 something doesn't work: what is wrong, and how to mend it

settings, lowest to highest: defaults, fleet.toml (or --config), environment, flags
environment: OPENAI_API_KEY, OPENAI_BASE_URL, FLEETMIND_MODEL, FLEETMIND_REDIS_URL (else REDIS_URL),
             RAY_ADDRESS, OTEL_*
models: openai:NAME, llama:NAME-or-GGUF-path, simulated:
"""
RUN = """\
Give the cluster a goal. The answer (Markdown) goes to stdout, live progress to stderr.

Attaches to the resident cluster that `fleetmind up` started, else starts one for this run.
"""
RUN_EPILOG = """\
examples:
  fleetmind run "What does the guide say about retries?" --knowledge docs/ --knowledge README.md
  echo "a longer goal" | fleetmind run - --json
  fleetmind run "..." --model openai:gpt-4o-mini --deadline 60 --events events.jsonl
  fleetmind run --workflow research.toml --input topic=heaps --dry-run

exit status: 0 answered, 1 failed, 2 wrong usage, 3 please rephrase, 124 deadline passed,
             130 interrupted, 143 terminated
"""
SUBMIT = """\
Give a goal to a Ray cluster as a job: uploads what it needs, follows the job's log on stderr and
ends as the job ends. Otherwise like `fleetmind run`.
"""
LEARN = """\
Read files and folders into the central store. Runs without --knowledge then answer from them.

Learning a path again brings it up to date: a file whose size and time of modification are the same
is not read, one whose content is the same is not embedded, one that is gone is forgotten. It may be
interrupted at any time and goes on from there. Several may learn at once.
"""
LEARN_EPILOG = """\
examples:
  fleetmind learn docs/ README.md
  fleetmind learn ~/handbook --namespace handbook
  fleetmind learn docs/ --watch
  fleetmind run "..." --namespace handbook

A namespace is knowledge apart: a run answers from one of them. Without --namespace it is `default`.
With --watch each change is a line on stdout; exit status: 130 after Ctrl-C, 143 after SIGTERM.
"""
FORGET = """\
Take files and folders out of what was learned. From then on no look-up finds their text, in running
tasks either; the text itself leaves the store within a minute, unless another namespace has it.

The files themselves are not touched, and need not be there any more. What was learned over HTTP is
text:NAME (a file of such a name is ./text:NAME).
"""
FORGET_EPILOG = """\
examples:
  fleetmind forget docs/old.md
  fleetmind forget text:kestrels.md --namespace birds
  fleetmind forget --all --namespace handbook
  fleetmind forget secrets.txt --purge

Answers that quoted it are kept in the journals of their tasks for up to a day after their end;
--purge removes these journals too, and all that is kept as answers of before. Without --namespace
it is forgotten in all of them, also in those that `--knowledge` made.
"""
KNOWLEDGE = """\
Show the namespaces, one a line: the files in it, their passages, its version, the size of its
documents in the store, and where the files are. Those of `--knowledge` are called `paths:...`.

The version counts what was ever put into it or removed; a task answers at least from the version
that was there when it was submitted.
"""
STATE = """\
Show the documents that agents share, one a line; with NAME one of them, and what in it nobody has
decided yet. NAME may be any part of a name between its slashes that only one document has.
"""
STATE_EPILOG = """\
examples:
  fleetmind state
  fleetmind state Board --history
  fleetmind state Board --revert 12
  fleetmind state Board --resolve 'verdict=#2'
  fleetmind state Board --resolve 'facts[heaps]="a value of your own, as JSON"'

A version that is reverted counts for nothing, and what was merged since stays. Of a long history
the first part can't be undone any more. A program's own ways of merging are not known here: fields
that merge by them are shown as far as that goes without.
"""
MODELS_EPILOG = """\
examples:
  fleetmind models
  fleetmind models pull smollm2-135m
  fleetmind models pull --help
"""
PULL = """\
Fetch a model that runs on this machine: one of our own by its name, or any GGUF file of the Hugging
Face Hub. What was fetched is compared with the size and the SHA-256 that the hub tells of it, and
kept in ~/.cache/fleetmind/models ($XDG_CACHE_HOME where it is set). A fetch that was interrupted
goes on where it was.
"""
PULL_EPILOG = """\
examples:
  fleetmind models pull smollm2-135m
  fleetmind models pull hf:OWNER/NAME/FILE.gguf
  fleetmind run "..." --model llama:hf:OWNER/NAME/FILE.gguf

environment: HF_ENDPOINT, another hub; HF_TOKEN, or what `hf auth login` keeps, for what is private
"""
TOKENS = """\
Say who may use the HTTP ingress (`fleetmind serve`). Each token has a name; a task belongs to the
name that asked for it, and no other token sees it. Before the first one is added, the ingress
listens on this machine alone and asks for none; from then on it always does.
"""
TOKENS_EPILOG = """\
scopes: ask    hand in tasks, follow and cancel its own
        learn  add documents to the namespaces it may use
        admin  both, and see, cancel and delete the tasks of all

examples:
  fleetmind tokens add alice
  fleetmind tokens add chat-ui --tasks-max 8 --tokens-a-day 2000000
  fleetmind tokens add handbook-bot --scope ask --scope learn --namespace handbook
  fleetmind tokens revoke alice

The token is printed once and kept nowhere: the store has a hash of it. A revoked one is refused
within a second; the tasks that it asked for go on. Whoever gets a new token of the same name gets
its tasks too.
"""
TASKS = """\
List the tasks that the cluster has or had: id, age, status, and how the goal begins. Those that
have ended stay listed for a week, also where the cluster was stopped meanwhile.
"""
TASKS_EPILOG = """\
examples:
  fleetmind tasks
  fleetmind tasks --status running
  fleetmind tasks --json
"""
WATCH = """\
Follow a task that was left running (`fleetmind run --detach`), that another terminal or program
follows, or that has ended: all that has happened since its beginning, then what happens, then the
answer (Markdown) on stdout. Any number may watch.

Ctrl-C ends the watching and leaves the task running. What has happened is kept for a day after the
end of a task, its answer for a week.
"""
WATCH_EPILOG = """\
examples:
  fleetmind watch 019ad2f6b0
  fleetmind watch 019ad2f6b0 --json
  fleetmind watch "$(fleetmind run --detach '...')" --events events.jsonl

exit status: 0 answered, 1 failed or cancelled, 2 wrong usage, 3 please rephrase,
             124 the task's deadline passed, 130 interrupted, 143 terminated
"""
CANCEL = """\
End a task, whoever has submitted it. All who follow it are told.
"""
CANCEL_EPILOG = """\
example:
  fleetmind cancel 019ad2f6b0
"""
DOCTOR = """\
Look at all that a run needs, and try it with the settings that a run would have: Python and its
packages, Ray, the store, the sandbox, each model (one call of one token), keys and tokens, ports,
disks, limits, proxies. One line each: it is well, or what is wrong and how to mend it.

Nothing is changed, and nothing stays. It takes some seconds, at most 30: what hangs is said to. A
start that fails has the quick ones of these checks follow its error by itself.
"""
DOCTOR_EPILOG = """\
examples:
  fleetmind doctor
  fleetmind doctor --model openai:NAME --redis redis://10.0.0.2:6379/0
  fleetmind doctor --json | jq '.checks[] | select(.severity != "ok")'

ok       it works
warning  it works, and something of it may surprise
wrong    it will not work before that is mended

exit status: 0 nothing is wrong, 1 something is, 2 wrong usage, also of fleet.toml
"""
