curl -X POST https://yourinstance.getdx.net/api/deployments.create \
    -H "Content-Type: application/json" \
    -H "Authorization: Bearer your_bearer_token_here" \
    --data '{
        "reference_id": "globally-unique-identifier",
        "deployed_at": 1680723287,
        "service": "my_service",
        "commit_sha": "d1a34f0",
        "repository": "my_org/payment_api"
    }'
