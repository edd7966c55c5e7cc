import { heldUnless, type Restriction } from "./restrictions.ts";

export const commit = "c".repeat(40);
const closed = `/assets/lab+closed/${commit}/models/secret/model.py`;
export const hers = `/assets/dtaas+user2/${commit}/data/private.csv`;
export const shared = `/assets/dtaas+common/${commit}/models/tank/tank.py`;
export const reads = (path: string) => heldUnless(`cat ${path} >/dev/null`);
const everything = { shown: { snapshots: "/assets" } };

/**
 * What the mounts of a view keep from the twins of a user. `onMachine`: a file that everybody on the machine may read, where a
 * process with the twins' user id runs.
 */
export const walls = (onMachine: string): Restriction[] => [
  {
    about: "reading a shared repository without access to it",
    ask: reads(closed),
    without: { shown: { "snapshots/lab+closed": "/assets/lab+closed" } },
  },
  {
    about: "reading another user's repository",
    ask: reads(hers),
    without: { shown: { "snapshots/dtaas+user2": "/assets/dtaas+user2" } },
  },
  {
    about: "reading a former revision of what may be read now",
    ask: reads(`/assets/dtaas+common/${"d".repeat(40)}/models/old/old.py`),
    without: { shown: { "snapshots/dtaas+common": "/assets/dtaas+common" } },
  },
  {
    about: "climbing out of a mounted folder",
    ask: reads(`/workspace/common/models/tank/../../../../lab+closed/${commit}/models/secret/model.py`),
    without: everything,
  },
  {
    about: "a link of one's own to what others have",
    ask: `ln -s ${hers} /workspace/mine; ${reads("/workspace/mine")}`,
    without: everything,
  },
  {
    about: "a link in one's own repository to what others have",
    ask: reads("/workspace/linked"),
    without: everything,
  },
  {
    about: "the machine's files through its processes",
    // Some of the processes have ended before they are read: one that shows the file is enough.
    ask: heldUnless(
      `sh -c 'for f in /proc/[0-9]*/root${onMachine}; do cat "$f" >/dev/null && exit 0; done; exit 1'`,
    ),
    without: {
      host: {
        ...{ CapDrop: [], CapAdd: ["SYS_PTRACE", "DAC_OVERRIDE"], SecurityOpt: ["seccomp=unconfined"] },
        PidMode: "host",
      },
      user: "0:0",
    },
  },
  {
    about: "mounting",
    ask: heldUnless("{ mkdir -p /tmp/m && mount -t tmpfs none /tmp/m; }"),
    without: {
      host: { CapDrop: [], CapAdd: ["SYS_ADMIN"], SecurityOpt: ["seccomp=unconfined"] },
      user: "0:0",
    },
  },
  {
    about: "another user's view",
    ask: reads("/views/user2/current/.r/about.json"),
    without: { shown: { views: "/views" }, user: "0:0" }, // their folder is closed to others, too
  },
  {
    about: "writing to a shared asset",
    ask: heldUnless(`sh -c 'echo x >>${shared}'`),
    without: { mountsWritable: true },
  },
  {
    about: "writing to a shared asset through the view",
    ask: heldUnless("sh -c 'echo x >>/workspace/common/models/tank/tank.py'"),
    without: { mountsWritable: true },
  },
  {
    about: "adding to the view",
    ask: heldUnless("touch /workspace/common/models/mine"),
    without: { mountsWritable: true, user: "0:0", host: { CapDrop: [] } },
  },
];
