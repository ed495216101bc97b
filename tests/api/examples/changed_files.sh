files=$(git diff --name-only ${{ github.event.pull_request.base.sha }} ${{ github.sha }} --)
echo "Changed files: $files"
echo "Changed files: $files" >> changed_files.txt
