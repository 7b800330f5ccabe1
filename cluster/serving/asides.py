"""Chat clients' own requests: titles, tags, follow-up questions, queries. Nobody has typed them.

Pure. They are told by how their clients' templates begin, which no person writes by chance: whoever
asks for a title has a goal, and gets the team. docs/http.md has what this finds and misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cluster.kernel.conversation import ChatMessage

_HEAD_CHARS: Final = 400
"""Of a message, where its template shows."""

_MARKED: Final = ("### task:", "<chat_history>")
"""Open WebUI: all of its templates begin with the first and have the second, as those that its
administrators write. The one that wraps a user's question in documents has no history."""

_OF_A_TITLE: Final = (
    # Open WebUI, before 2025
    "create a concise, 3-5 word phrase with an emoji as a title for the",
    "create a concise, 3-5 word phrase as a header for the following query",
    "your task is to reflect the speaker's likely facial expression through a fitting emoji",
    # LibreChat
    "provide a concise, 5-word-or-less title for the conversation",
    "analyze this conversation and provide: 1. the detected language",
    "please generate a concise title (max 40 characters) for a conversation that starts with",
    "detect user language and write in the same language an extremely concise title",
    "write a concise title for this conversation in the given language",
    "please generate a concise, 5-word-or-less title for the conversation",
    # NextChat
    "please generate a four to five word title summarizing our conversation without any lead-in",
    "使用四到五个字直接返回这句话的简要主题",
    # Cherry Studio
    "summarize the conversation into a title in ",
    "summarize the given session as a 10-word title",
    # Chatbox
    "based on the chat history, give this conversation a name",
    "name the conversation based on the chat records",
    # Jan, Page Assist
    "summarize in a 5-word title. give the title only",
    "summarize in a 10-word title. give the title only",
    "here is the query: --------------",
    # Zed, Goose, Continue
    "generate a concise 3-7 word title for this conversation, omitting punctuation",
    "based on the conversation so far, provide a concise description of this session in 4 words",
    "given the following... please reply with a title for the chat that is 3-4 words in length",
)
"""How the last message of such a request begins."""

_OF_A_SYSTEM: Final = (
    # LobeChat
    "you are a professional conversation summarizer. generate a concise title",
    "you are an assistant skilled at conversation. you need to summarize the user's conversation",
    "你是一名擅长会话的助理",
    # Cherry Studio
    "summarize the conversation into a title in ",
    "you are an assistant skilled in conversation. you need to summarize the user's conversation",
    # HuggingFace Chat
    "you are a chat thread titling assistant",
    "you are a summarization ai. your task is to summarize the user's request into a single short",
    # big-AGI, OpenCode
    "you are an ai conversation titles assistant",
    "you are a title generator. you output only a thread title",
    # Chatbot of Vercel, and what was made of it
    "you will generate a short title based on the first message a user begins",
    "- you will generate a short title based on the first message a user begins",
)
"""How the system message of such a request begins."""


def is_aside(goal: str, conversation: Sequence[ChatMessage]) -> bool:
    """Say whether a request was made by a chat client for itself."""
    text = goal.lower()
    if _head(goal).startswith(_MARKED[0]) and _MARKED[1] in text:
        return True
    if _head(goal).startswith(_OF_A_TITLE):
        return True
    systems = [each.content for each in conversation[:1] if each.role == "system"]
    return any(_head(system).startswith(_OF_A_SYSTEM) for system in systems)


def _head(text: str) -> str:
    return " ".join(text[:_HEAD_CHARS].lower().split())
