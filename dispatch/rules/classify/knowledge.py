"""What the data files of dispatch/data/ say, as plain values that rules take as an argument."""

from dataclasses import dataclass

from dispatch.rules.classify.auto_reply_knowledge import AutoReplyKnowledge
from dispatch.rules.classify.bounce_knowledge import BounceKnowledge, InvalidKnowledge

__all__ = ["AutoReplyKnowledge", "BounceKnowledge", "InvalidKnowledge", "Knowledge"]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that is known of the mail of machines."""

    bounces: BounceKnowledge
    auto_replies: AutoReplyKnowledge
