json_payload=$(jq -n \
  --arg github_pull_id ${{ github.event.pull_request.id }} \
  --arg services '[${{ steps.services.outputs.affected_services }}]' \
  '{
    github_pull_id: $github_pull_id,
    services: $services
  }')

curl -X POST \
  http://yourinstance.getdx.net/api/deployments.setPullServices \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer YOUR_BEARER_TOKEN_HERE" \
  -d "$json_payload"

if [ "$RESPONSE_CODE" -ne 200 ]; then
  ERROR_MESSAGE=$(jq -r '.message' response.txt)
  ERROR_TYPE=$(jq -r '.error' response.txt)

  echo "Error response from API: HTTP status code $RESPONSE"
  echo "Error type: $ERROR_TYPE"
  echo "Error message: $ERROR_MESSAGE"

  exit 1 # Fail the step explicitly if an error is detected
fi
