"""Topics and the queues subscribed to them: compared and brought about.

Topics and queues are only ever created; what they hold is nobody's to drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from streamdev.aws import names
from streamdev.aws.destinations import Service
from streamdev.aws.gateway import Gateway
from streamdev.aws.topics import SubscriptionState
from streamdev.config.models import Pipeline
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.resources import SubscriptionResource

#: A topic and a queue, by name.
Pair = tuple[str, str]


def destinations(pipelines: Iterable[Pipeline]) -> list[tuple[Service, str]]:
    """Every queue, topic and bucket that the pipelines name, each once."""
    found: dict[tuple[Service, str], None] = {}
    for pipeline in pipelines:
        if (failure := pipeline.mapping.on_failure) is not None:
            found[failure.service, failure.name] = None
        for topic in pipeline.topics:
            found["sns", topic.name] = None
            for subscription in topic.subscriptions:
                found["sqs", subscription.sqs] = None
    return list(found)


def subscriptions(pipelines: Sequence[Pipeline]) -> dict[Pair, SubscriptionResource]:
    """Every subscription that the pipelines declare."""
    declared = {
        (topic.name, one.sqs): one.raw_message_delivery
        for pipeline in pipelines
        for topic in pipeline.topics
        for one in topic.subscriptions
    }
    return {
        (topic, queue): SubscriptionResource(
            topic, queue, raw, tuple(sorted(t for t, q in declared if q == queue))
        )
        for (topic, queue), raw in declared.items()
    }


def plan(
    pipelines: Sequence[Pipeline], existing: Mapping[Pair, SubscriptionState], region: str
) -> Iterator[Change]:
    """What the subscriptions need; topics and queues are planned as destinations."""
    for pair, desired in subscriptions(pipelines).items():
        state = existing.get(pair)
        if state is None:
            yield Change(desired, Action.CREATE)
            continue
        desired = replace(desired, arn=state.arn)
        reasons = []
        if state.raw != desired.raw:
            reasons.append(f"raw-message-delivery {_word(state.raw)} → {_word(desired.raw)}")
        # Another project's topics may send to the queue as well.
        if not state.permitted.issuperset(names.topic_arn(one, region) for one in desired.senders):
            reasons.append("queue policy")
        yield Change(desired, Action.UPDATE if reasons else Action.NOTHING, tuple(reasons))


def apply(gateway: Gateway, change: Change, desired: SubscriptionResource) -> None:
    """Bring the subscription about; its topic and queue exist."""
    gateway.topics.permit(desired.queue, desired.senders)
    if change.action is Action.CREATE:
        gateway.topics.subscribe(desired.topic, desired.queue, raw=desired.raw)
    elif desired.arn is not None:
        gateway.topics.set_raw(desired.arn, raw=desired.raw)


def _word(value: bool) -> str:
    return "true" if value else "false"
