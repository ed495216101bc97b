"""What a page says when one comes to it after a change: ``?done=`` and a word of these."""

DONE = {
    "signed-out": "You are signed out.",
    "session-over": "Your session is over. Nothing was changed: sign in and open the form anew.",
    "deployment-changed": "The deployment was changed and attributed anew.",
    "deployment-deleted": "The deployment was deleted.",
    "link-corrected": "The link was corrected; it is kept with your name and your reason.",
    "correction-withdrawn": "What was said by hand is withdrawn, and the rules decide again.",
    "deployment-retried": "Attribution was tried again.",
    "file-taken": "The file is here, and is read now. Nothing of it is applied yet.",
    "import-applying": "The import is being applied.",
    "import-previewing": "It is being worked out what applying the import would do.",
    "import-undoing": "The import is being taken back.",
    "rule-deleted": "The rule was deleted. What it made stays.",
    "rule-saved": "The rule was saved.",
    "path-rules-deleted": "The path rules were deleted, and the services that they derived.",
    "path-rules-saved": "The path rules were saved, and services of pull requests derived anew.",
    "token-revoked": "The token was revoked.",
    "account-created": "The account was created.",
    "account-changed": "The account was changed.",
}
