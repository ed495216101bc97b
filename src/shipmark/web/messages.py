"""What a page says when one comes to it after a change: ``?done=`` and a word of these."""

DONE = {
    "signed-out": "You are signed out.",
    "deployment-changed": "The deployment was changed and attributed anew.",
    "deployment-deleted": "The deployment was deleted.",
    "link-corrected": "The link was corrected; it is kept with your name and your reason.",
    "deployment-retried": "Attribution was tried again.",
}
