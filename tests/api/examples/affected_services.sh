services=""
while read -r file; do
  service=$(echo $file | awk -F'/' '{print $1}')
  services="$services $service"
done < changed_files.txt
unique_services=$(echo $services | xargs -n1 | sort -u | xargs)
echo "Affected services: $unique_services"
echo "::set-output name=affected_services::$unique_services"
