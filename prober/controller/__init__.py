"""The process in the middle: takes reports, joins, judges, keeps, answers.

serve      the process: listeners, signals; app its FastAPI application and its life
centre     one controller's life: what it holds, and what goes on for ever
desk       what is known now: joiner, matrix, the evidence of each cell; no database, no HTTP
judged     a probe with what was said of it; past those that ended long ago
surroundings  what else is known when a probe is judged
tally      how often each label was said, and the objectives' minutes; counts what the store holds of them
looking    what a failing cell leads to, and what comes of it
plain      answers that are told briefly, by the thousand
telling    which of it is told: flips, by probes and by the handshakes of experiments
intake     reports in: group commit first, then acknowledged, then joined
pins       addresses of targets that are declared by a host name
stranger   what a report must be before anything of it is taken
tail       the log of reports, followed to its end: what this controller wrote and what the others wrote
rounds     a plan for each agent; what a run is
dispatch   what each agent is told to do next; fleet what agents say of themselves; detours who reports through a peer;
           epochs whose key two processes use
views      what is known, as the documents that routes and chats hand on
runs       the runs on demand: any controller starts one, every one shows it, one ends it
bench      experiments under way: many flows; sweeps; byways, which ask the hosts of unwatched targets their ways, each
           in an inquiry; approaches say who those hosts are
errands    what agents are to do once, handed out by any controller
behind     the queue of writes that follow the desk
holding    whether this controller has the lease; record is what its holder keeps
keeper     what outlives the process: a turn's failures and flips, runs, the matrix as it was, written behind the desk
resume     where a controller goes on: the counts as they were written, and the last reports judged again
retention  how long what is kept is kept
listings   what the store holds, page by page; history is that of one pair
incidents  which cells are one incident; alerts what is told of it, receivers to whom: a courier each, by deliveries
access     tokens and roles; doors who may come in by which route; parameters what a route takes
enrolling  an agent's token against its key; signers whose signature counts
quick      a status that still stands, given again
guard      what every request must be; problems what it hears when it is not; heads HEAD of whatever has a GET;
           documents, examples and openapi say what answers look like
agents_api what agents call; api what people and scripts call; monitor what monitors call; chat what chats call
matrix_api the part of api that is about cells; runs_api about runs; etag names for what they say; streams their events
commands   what a line in a chat asks for, who may, and what comes of it; asked is that line
talks      where its words go: a response_url (posts), a thread of Slack (slack_web)
chats      which chats are set up; slack_door who may come in by Slack; chat_described what OpenAPI says of it
"""
