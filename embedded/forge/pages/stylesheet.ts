/** All that the pages look like. Colours have a contrast of at least 4.5 to 1, in the dark too. */
export const stylesheet = `
:root { color-scheme: light dark; --ink: #1f1f1f; --soft: #5a5a5a; --paper: #ffffff; --shade: #f4f4f5; --line: #d4d4d8;
  --link: #1d4ed8; --good: #166534; --bad: #b91c1c; --busy: #92400e; --add: #dcfce7; --del: #fee2e2; }
@media (prefers-color-scheme: dark) { :root { --ink: #f4f4f5; --soft: #b4b4bb; --paper: #18181b; --shade: #27272a; --line: #52525b;
  --link: #93c5fd; --good: #86efac; --bad: #fca5a5; --busy: #fcd34d; --add: #14532d; --del: #7f1d1d; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
a { color: var(--link); }
a:focus-visible, button:focus-visible, input:focus-visible, textarea:focus-visible, select:focus-visible, summary:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .25rem .5rem; }
header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .5rem 1rem;
  border-bottom: 1px solid var(--line); background: var(--shade); }
header nav, header form { display: flex; gap: .75rem; align-items: center; margin: 0; }
.home { font-weight: 700; text-decoration: none; }
.who { overflow-wrap: anywhere; }
main { max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2rem; }
.tabs { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: .5rem 0; border-bottom: 1px solid var(--line); margin-bottom: 1rem; }
.tabs a[aria-current] { font-weight: 700; color: var(--ink); text-decoration: none; }
.path { overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
ul.plain { list-style: none; padding: 0; margin: 0; }
ul.plain > li { padding: .5rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
pre, code { font-family: ui-monospace, monospace; font-size: .875rem; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 4px; padding: .75rem; overflow-x: auto; }
pre.log { white-space: pre-wrap; overflow-wrap: anywhere; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 0 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
.narrow { max-width: 24rem; margin: 2rem auto; }
label { display: block; font-weight: 600; margin-top: .75rem; }
input[type=text], input[type=password], textarea, select { width: 100%; font: inherit; padding: .5rem; color: var(--ink);
  background: var(--paper); border: 1px solid var(--soft); border-radius: 4px; }
button { font: inherit; padding: .5rem 1rem; margin: .75rem .5rem .25rem 0; border: 1px solid var(--link); border-radius: 4px;
  color: var(--paper); background: var(--link); cursor: pointer; }
button.plain { margin: 0; padding: .25rem .5rem; color: var(--link); background: transparent; }
button.danger { border-color: var(--bad); background: var(--bad); }
form.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; }
form.row > div { flex: 1 1 10rem; }
.notice { border-left: 4px solid var(--busy); background: var(--shade); padding: .5rem .75rem; }
.error { border-left: 4px solid var(--bad); background: var(--shade); padding: .5rem .75rem; }
table.diff td { font-family: ui-monospace, monospace; font-size: .8125rem; border: 0; padding: 0 .5rem; white-space: pre-wrap; }
table.diff .number { color: var(--soft); text-align: right; width: 1%; user-select: none; white-space: nowrap; }
table.diff td.said { font-family: system-ui, sans-serif; font-size: 1rem; white-space: normal; padding: .25rem .5rem; }
div.row { display: flex; flex-wrap: wrap; gap: .5rem; }
table.diff .add td { background: var(--add); } table.diff .del td { background: var(--del); }
table.diff .hunk td { color: var(--soft); background: var(--shade); }
.pages { display: flex; gap: 1rem; padding: 1rem 0; }
@media (max-width: 30rem) { main { padding: .75rem; } .wide { display: none; } }
`;
