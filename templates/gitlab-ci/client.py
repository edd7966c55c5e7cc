"""What a job of a pipeline runs: asks the platform to run an operation of a twin, and stays with it.

run <operation>  runs it, prints its log as it comes, keeps its outputs in dtaas-outputs/, ends with its exit code
cancel           ends the run that this job has begun, if it goes on; for after_script
Needs Python 3.7 and nothing beside it. Ends with 124 when the operation took too long, with 125 when it has no exit
code or the platform refused, with 143 when the job was cancelled.
"""
import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ANSWER_S = 30
SILENCE_S = 60  # the platform sends a sign of life every 15 seconds
PATIENCE_S = 300  # how long a platform that is away is waited for
FAREWELL_S = 20  # how long the end of a cancelled run is waited for
MAX_PAUSE_S = 10
MAX_OUTPUT_BYTES = 512 * 1024 * 1024  # of all files together; hosts refuse larger artifacts
OUTPUT_FOLDER = "dtaas-outputs"


class Refused(Exception):
    """The platform understood, and says no."""


class Away(Exception):
    """It cannot be reached, or says to try later."""


class Cancelled(Exception):
    """The job is being cancelled, or has run out of time."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for one address only."""

    def redirect_request(self, *_):
        return None


class Platform:
    def __init__(self, environment):
        self.url = need(environment, "DTAAS_URL", "where the platform is, such as https://dtaas.example.org").rstrip("/")
        self.token = need(environment, "DTAAS_ID_TOKEN", "an ID token, made by `id_tokens:` of the job")
        self.opener = urllib.request.build_opener(NoRedirect())

    def open(self, method, path, body=None, headers=None, timeout=ANSWER_S):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/api/v1" + path, data=data, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            return self.opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            raise problem(error)
        except (OSError, ValueError) as error:
            raise Away("%s cannot be reached: %s" % (self.url, error))

    def ask(self, method, path, body=None, headers=None):
        """One answer; asked again while the platform is away, which is harmless for all that we ask."""
        deadline = time.monotonic() + PATIENCE_S
        pause = 1
        while True:
            try:
                with self.open(method, path, body, headers) as answer:
                    return json.loads(answer.read().decode())
            except (Away, OSError) as error:
                if time.monotonic() + pause > deadline:
                    raise Away(str(error))
                say("%s; trying again" % error)
                time.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_S)


class Job:
    """One job and the run it has begun."""

    def __init__(self, environment):
        self.environment = environment
        self.platform = Platform(environment)
        self.twin = need(environment, "DTName", "the name of a twin")
        self.user = environment.get("DTUser") or need(environment, "CI_PROJECT_NAME", "set by the Git host")
        self.folder = environment.get("CI_PROJECT_DIR") or "."
        if not os.path.isdir(self.folder):
            self.folder = "."
        self.note = os.path.join(self.folder, ".dtaas-run-" + self.id())
        self.wants_cancel = False
        self.may_interrupt = False

    def id(self):
        return re.sub(r"[^0-9A-Za-z]", "", need(self.environment, "CI_JOB_ID", "set by the Git host"))

    def path(self, *more):
        parts = ["twins", self.user, self.twin, "runs"] + list(more)
        return "/" + "/".join(urllib.parse.quote(part, safe="") for part in parts)

    def run(self, operation):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.on_signal)
        run = self.begin(operation)
        say("%s/%s: %s is run %s" % (self.user, self.twin, operation, run))
        try:
            self.listen()
            end = self.follow(run, None)
        except Cancelled:
            self.may_interrupt = False
            say("the job is cancelled, so run %s is, too" % run)
            self.end(run)
            self.follow(run, time.monotonic() + FAREWELL_S)
            return 143
        self.may_interrupt = False  # what was kept is worth a moment, whatever comes
        forget(self.note)
        self.keep_outputs(run)
        return told(end)

    def begin(self, operation):
        body = {"operation": operation}
        given = self.environment.get("DTParameters")
        if given:
            try:
                body["parameters"] = json.loads(given)
            except ValueError as error:
                raise Refused("DTParameters is no JSON: %s" % error)
        # The same job asking again, because an answer was lost, gets the same run.
        key = "ci-%s-%s" % (self.environment.get("CI_PROJECT_ID", "0"), self.id())
        run = self.platform.ask("POST", self.path(), body, {"Idempotency-Key": key})["id"]
        with open(self.note, "w") as note:
            note.write(run)
        return run

    def listen(self):
        self.may_interrupt = True
        if self.wants_cancel:
            raise Cancelled()

    def on_signal(self, *_):
        self.wants_cancel = True
        if self.may_interrupt:
            self.may_interrupt = False
            raise Cancelled()

    def follow(self, run, deadline):
        """Prints each line once, going on where it was when a connection is lost. How the run ended, or None at the deadline."""
        last = None
        pause = 1
        while deadline is None or time.monotonic() < deadline:
            try:
                for name, number, data in self.events(run, last, deadline):
                    if name == "end":
                        return json.loads(data)
                    show(json.loads(data))
                    last = number or last
                    pause = 1
            except (Away, OSError) as error:
                say("the log is lost for a moment (%s)" % error)
            time.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_S)
        return None

    def events(self, run, last, deadline):
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        timeout = SILENCE_S if deadline is None else max(1, deadline - time.monotonic())
        with self.platform.open("GET", self.path(run, "log"), None, headers, timeout) as answer:
            event = {}
            for raw in answer:
                if deadline is not None and time.monotonic() > deadline:
                    return
                line = raw.decode("utf-8", "replace").rstrip("\n")
                if line == "":
                    if "data" in event:
                        yield event.get("event"), event.get("id"), event["data"]
                    event = {}
                elif not line.startswith(":"):
                    field, _, value = line.partition(":")
                    event[field] = value[1:] if value.startswith(" ") else value

    def end(self, run):
        try:
            with self.platform.open("DELETE", self.path(run)):
                pass
        except Refused:
            pass  # it has ended by itself meanwhile

    def cancel(self):
        """For after_script, which also comes when the job was killed before it could say anything."""
        try:
            with open(self.note) as note:
                run = note.read().strip()
        except OSError:
            return 0
        forget(self.note)
        if self.platform.ask("GET", self.path(run))["state"] == "ended":
            return 0
        say("run %s goes on; it is being cancelled" % run)
        self.end(run)
        return 0

    def keep_outputs(self, run):
        left = MAX_OUTPUT_BYTES
        for item in self.platform.ask("GET", self.path(run, "outputs"))["items"]:
            parts = item["path"].split("/")
            left -= item["bytes"]
            if left < 0 or any(part in ("", ".", "..") for part in parts):
                say("left out: %s" % item["path"])
                continue
            target = os.path.join(self.folder, OUTPUT_FOLDER, *parts)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with self.platform.open("GET", self.path(run, "outputs", *parts), None, {"Accept": "*/*"}) as answer:
                with open(target, "wb") as file:
                    for chunk in iter(lambda: answer.read(65536), b""):
                        file.write(chunk)
            say("kept %s" % os.path.join(OUTPUT_FOLDER, item["path"]))


def told(end):
    words = "" if end.get("reason") is None else ": " + end["reason"]
    say("%s (exit code %s)%s" % (end.get("outcome"), end.get("exitCode"), words))
    if end.get("outcome") == "succeeded":
        return 0
    if end.get("outcome") == "timed-out":
        return 124
    return end.get("exitCode") or 125


def problem(error):
    try:
        told_so = json.loads(error.read(65536).decode())
        text = told_so["detail"]
        hint = told_so.get("hint")
    except (ValueError, KeyError, TypeError, OSError):
        text, hint = "the answer is %s, and none of the platform's" % error.code, None
    later = error.code in (429, 502, 503, 504, 507)
    return (Away if later else Refused)(text + (" (%s)" % hint if hint else ""))


def show(line):
    text = plain(line.get("text", ""))
    print("\x1b[36m%s\x1b[0m" % text if line.get("stream") == "platform" else text, flush=True)


def plain(text):
    """Without what moves the cursor or folds the log; colours stay."""
    text = re.sub(r"\x1b(?!\[[0-9;]*m)(\[[0-?]*[ -/]*[@-~])?", "", text)
    return re.sub(r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f]", "", text)


def say(text):
    print("\x1b[36mdtaas: %s\x1b[0m" % plain(text), flush=True)


def need(environment, name, meaning):
    value = environment.get(name)
    if value:
        return value
    raise Refused("%s is not set: %s" % (name, meaning))


def forget(path):
    try:
        os.remove(path)
    except OSError:
        pass


def main(arguments, environment):
    try:
        job = Job(environment)
        if arguments[:1] == ["run"] and len(arguments) == 2:
            return job.run(arguments[1])
        if arguments == ["cancel"]:
            return job.cancel()
        raise Refused("say `run <operation>` or `cancel`")
    except (Refused, Away) as error:
        print("\x1b[31mdtaas: %s\x1b[0m" % plain(str(error)), flush=True)
        return 125


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
