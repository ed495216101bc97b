curl -X POST\
    https://yourinstance.getdx.net/api/deployments.setPullServices\
    -H "Content-Type: application/json" \
    -H "Authorization: Bearer your_bearer_token_here" \
    -d '{
        "github_pull_id": 1497468863,
        "services": ["serviceA", "other-service"]
    }'
