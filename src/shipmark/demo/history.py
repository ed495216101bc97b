"""The made-up history: two weeks of three repositories, and what must come of it.

What each deployment ships is written down here by hand, not computed, so that the demo can tell
a right answer from a wrong one. Nobody in it is real.
"""

from shipmark.demo.facts import Deployment, Outcome, Pull, Repository

SHOP = "acme/shop"
WEBSITE = "acme/website"
LEDGER = "acme/ledger"

ADA = "Ada Example"
BEN = "Ben Sample"
CLEO = "Cleo Madeup"
DORA = "Dora Placeholder"

STAGING = "staging"
DEVELOP = "develop"

REPOSITORIES = (
    Repository(
        name=SHOP,
        default_branch="main",
        about="a monorepo; pull requests are assigned to checkout, catalog or both",
    ),
    Repository(
        name=WEBSITE,
        default_branch="main",
        about="one service; a deployment failed, one was rolled back",
    ),
    Repository(
        name=LEDGER,
        default_branch="main",
        about="git-flow; releases go from develop to main, one fix went ahead",
    ),
)

INSTALMENTS = Pull(SHOP, 207, 2.7, CLEO, "Offer payment by instalments", ("checkout",))

PULLS = (
    Pull(SHOP, 201, 13.6, ADA, "Show delivery costs in the basket", ("checkout",)),
    Pull(SHOP, 202, 13.1, BEN, "Let shoppers filter by colour", ("catalog",)),
    Pull(SHOP, 203, 12.4, CLEO, "Use one money type everywhere", ("checkout", "catalog")),
    Pull(SHOP, 204, 11.7, DORA, "Build with the current compiler"),
    Pull(SHOP, 205, 9.3, BEN, "Speed up the product search", ("catalog",)),
    Pull(SHOP, 206, 8.6, ADA, "Remember the chosen payment method", ("checkout",)),
    INSTALMENTS,
    Pull(SHOP, 208, 1.8, BEN, "Show related products", ("catalog",)),
    Pull(WEBSITE, 11, 13.4, DORA, "Add the opening hours"),
    Pull(WEBSITE, 12, 12.9, ADA, "Say who we are"),
    Pull(WEBSITE, 13, 11.5, DORA, "Shrink the pictures"),
    Pull(WEBSITE, 14, 10.6, BEN, "Make the menu work on phones"),
    Pull(WEBSITE, 15, 7.9, CLEO, "Add a search box"),
    Pull(WEBSITE, 16, 7.1, CLEO, "Build the search index before it is needed"),
    Pull(WEBSITE, 18, 0.2, ADA, "Greet returning visitors"),
    Pull(LEDGER, 51, 13.3, BEN, "Book refunds as entries of their own", base_ref=DEVELOP),
    Pull(LEDGER, 52, 12.7, DORA, "Round half to even", base_ref=DEVELOP),
    Pull(LEDGER, 53, 11.9, ADA, "Export the journal as CSV", base_ref=DEVELOP),
    Pull(LEDGER, 54, 11.0, DORA, "Release 1.4"),
    Pull(LEDGER, 55, 9.6, CLEO, "Fix the sign of chargebacks", base_ref=DEVELOP),
    Pull(LEDGER, 56, 8.8, BEN, "Close a month in one transaction", base_ref=DEVELOP),
    Pull(LEDGER, 57, 6.2, ADA, "Keep the journal for ten years", base_ref=DEVELOP),
    Pull(LEDGER, 58, 4.6, DORA, "Release 1.5"),
    Pull(LEDGER, 59, 3.0, BEN, "Read bank statements", base_ref=DEVELOP),
)

DEPLOYMENTS = (
    Deployment("checkout-31", SHOP, "checkout", 12.2, (201, 203), commit=203, environment=STAGING),
    Deployment("checkout-32", SHOP, "checkout", 12.0, (201, 203), commit=203),
    Deployment("catalog-18", SHOP, "catalog", 11.2, (202, 203, 204), commit=204),
    Deployment("catalog-19", SHOP, "catalog", 9.0, (205,), commit=205),
    Deployment("checkout-33", SHOP, "checkout", 8.4, (204, 206), commit=206, environment=STAGING),
    Deployment("checkout-34", SHOP, "checkout", 8.0, (204, 206), commit=206),
    Deployment("checkout-35", SHOP, "checkout", 2.4, (207,), commit=207, environment=STAGING),
    Deployment("website-41", WEBSITE, "website", 12.6, (11, 12)),
    Deployment("website-42", WEBSITE, "website", 10.3, (13, 14), commit=14),
    Deployment("website-43", WEBSITE, "website", 7.7, reason="failed", commit=15, success=False),
    Deployment("website-44", WEBSITE, "website", 6.9, (15, 16), commit=16),
    Deployment("website-45", WEBSITE, "website", 5.8, reason="rollback", commit=14),
    Deployment("website-46", WEBSITE, "website", 5.2, reason="redeploy", commit=16),
    Deployment(
        "ledger-1.4.0", LEDGER, "ledger", 10.8, (51, 52, 53), commit=54, integration_branch=DEVELOP
    ),
    Deployment("ledger-1.4.1", LEDGER, "ledger", 9.4, (55,), lists=(55,)),
    Deployment(
        "ledger-1.5.0", LEDGER, "ledger", 4.3, (56, 57), commit=58, integration_branch=DEVELOP
    ),
)

LATE_PULL = Pull(WEBSITE, 17, 0.4, DORA, "Announce the summer sale")
"""It is imported only after it was deployed."""

EARLY_DEPLOYMENT = Deployment("website-47", WEBSITE, "website", 0.3, (17,), commit=17)
WHILE_WAITING = Outcome(method="commit_sha", status="pending", reason="commit_not_imported")

EXPLAINED_DEPLOYMENT = "checkout-34"
LEFT_OUT = (205,)
"""What its explanation must name as lying in its window and belonging elsewhere."""

LOCATED_PULL = INSTALMENTS
"""It went to staging and waits for production."""
TARGETS = {
    ("catalog", "production"): "assigned_to_other_services",
    ("checkout", "production"): "not_deployed_yet",
    ("checkout", "staging"): "checkout-35",
}
"""Per service and environment, the deployment that shipped it, or why none has."""

NEXT_DEPLOYMENT = Deployment("website-48", WEBSITE, "website", 0, (18,))
"""The one that whoever watches the demo is asked to register."""
