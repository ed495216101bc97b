sha=$(git rev-parse HEAD)
ts=$(date +%s)
repo=${{ github.repository }}

# This is optional - drop from curl if not used
service="My service"
json_payload=$(jq -n \
  --arg service "$service" \
  --arg repo "$repo" \
  --arg sha "$sha" \
  --arg ts "$ts" \
  '{
    service: $service,
    repository: $repo,
    commit_sha: $sha,
    deployed_at: $ts
  }')
RESPONSE_CODE=$(curl \
  "https://${DATACLOUD_HOST}/api/deployments.create"\
  -s -o response.txt\
  -w "%{http_code}" -X POST \
  -H "Authorization: Bearer ${API_TOKEN}" \
  -H "Content-Type: application/json" \
  -d "$json_payload"
)

if [ "$RESPONSE" -ne 200 ]; then
  ERROR_MESSAGE=$(jq -r '.message' response.txt)
  ERROR_TYPE=$(jq -r '.error' response.txt)

  echo "Error response from API: HTTP status code $RESPONSE"
  echo "Error type: $ERROR_TYPE"
  echo "Error message: $ERROR_MESSAGE"

  exit 1 # Fail the step explicitly if an error is detected
fi
