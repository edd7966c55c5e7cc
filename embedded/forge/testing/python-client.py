"""Uses the forge as people's scripts do, with the python-gitlab library. Prints what it saw as JSON."""

import json
import sys

import gitlab

url, token = sys.argv[1:]
client = gitlab.Gitlab(url, private_token=token, retry_transient_errors=False)
client.auth()
seen = {"user": client.user.username, "version": client.version()[0]}

seen["first_page"] = len(client.projects.list(per_page=20, page=1))
every = client.projects.list(iterator=True, per_page=20)
seen["total"] = every.total
seen["all"] = len(list(every))
keyset = client.projects.list(iterator=True, per_page=20, pagination="keyset", order_by="id")
seen["keyset"] = len({project.id for project in keyset})

group = client.groups.get("plant")
project = client.projects.create({"name": "Made by Python", "namespace_id": group.id})
commit = project.commits.create(
    {
        "branch": "main",
        "commit_message": "from Python",
        "actions": [
            {"action": "create", "file_path": "twins/a b.yaml", "content": "a: 1\n"},
            {"action": "create", "file_path": "readme.md", "content": "hello\n"},
        ],
    }
)
seen["commit"] = commit.title
commit.statuses.create({"state": "running", "name": "dt/tank"})
commit.statuses.create({"state": "success", "name": "dt/tank", "description": "healthy"})
seen["statuses"] = [[each.name, each.status, each.description] for each in commit.statuses.list()]

file = project.files.get("twins/a b.yaml", ref="main")
file.content = "a: 2\n"
file.save(branch="main", commit_message="change it")
seen["raw"] = project.files.raw("twins/a b.yaml", ref="main").decode()
seen["tree"] = [each["path"] for each in project.repository_tree(recursive=True, get_all=True)]
seen["diff"] = [each["new_path"] for each in project.commits.get("main").diff()]
seen["archive"] = project.repository_archive(sha="main", format="tar")[257:262].decode()
tag = project.tags.create({"tag_name": "v1", "ref": "main", "message": "first"})
compared = project.repository_compare(commit.id, "v1")
seen["compare"] = [len(compared["commits"]), len(compared["diffs"])]
branch = project.branches.create({"branch": "side", "ref": "main"})
seen["branches"] = sorted(each.name for each in project.branches.list(iterator=True))
hook = project.hooks.create({"url": "http://127.0.0.1:9/hook", "push_events": True})
seen["hook"] = hook.push_events
bot = project.access_tokens.create({"name": "bot", "scopes": ["read_api"], "access_level": 20})
seen["bot"] = gitlab.Gitlab(url, private_token=bot.token).projects.get(project.id).path
project.description = "changed"
project.save()
seen["description"] = client.projects.get("plant/made-by-python").description
try:
    client.projects.get("plant/none")
except gitlab.exceptions.GitlabGetError as error:
    seen["missing"] = [error.response_code, error.error_message]
project.delete()
print(json.dumps(seen))
