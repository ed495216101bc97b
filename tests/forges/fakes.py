"""All fake forges, by what tests call them."""

from tests.forges.azure_devops import FakeAzureDevOps
from tests.forges.bitbucket_cloud import FakeBitbucketCloud
from tests.forges.bitbucket_data_center import FakeBitbucketDataCenter
from tests.forges.fake import FakeForge
from tests.forges.gitea import FakeGitea
from tests.forges.github import FakeGitHub
from tests.forges.gitlab import FakeGitLab

FAKES: dict[str, type[FakeForge]] = {
    "github": FakeGitHub,
    "gitlab": FakeGitLab,
    "bitbucket cloud": FakeBitbucketCloud,
    "bitbucket data center": FakeBitbucketDataCenter,
    "azure devops": FakeAzureDevOps,
    "gitea": FakeGitea,
}
