"""What forges delivered, read, and what they leave open, asked for."""

import json
from collections.abc import Sequence

from shipmark.application.deliveries import Delivery
from shipmark.application.facts import Fact
from shipmark.application.forges import FollowUp
from shipmark.connectors import azure_devops
from shipmark.connectors.forges import Forges, connect, together
from shipmark.connectors.webhooks import WEBHOOKS

AZURE_DEVOPS = "azure-devops"
"""The last part of the address to which its service hooks are sent."""


class Deliveries:
    """Reads what forges delivered, whether or not their webhooks are still taken. Without forges,
    nothing is asked of any."""

    def __init__(self, forges: Forges | None = None, azure_devops_url: str | None = None) -> None:
        self._forges = forges or connect([])
        self._azure_devops_url = azure_devops_url

    def read(self, delivery: Delivery) -> Sequence[Fact]:
        webhook = WEBHOOKS[delivery.forge]
        return webhook.facts(delivery.headers, delivery.body, received_at=delivery.received_at)

    def follow_up(self, delivery: Delivery, facts: Sequence[Fact]) -> FollowUp:
        """What a webhook leaves open and its forge tells, where we are let in: of a merged pull
        request all of it, path rules that may have changed, the commit of a release, and the
        one that a pipeline of Azure DevOps ran on."""
        forge = self._forges.named(delivery.forge.replace("-", "_"))
        if forge is None:
            return FollowUp()
        told = forge.follow_up(facts)
        if delivery.forge == AZURE_DEVOPS:
            url = self._azure_devops_url or ""
            asking = azure_devops.follow_up(json.loads(delivery.body), base_url=url)
            if asking:
                told = together([told, forge.hold_if_told(delivery.forge, asking)])
        return told
