"""Whether a record is of today's code, settings and seeds: the one test of "stale"."""

from benchmarks.plan.params import Params
from benchmarks.provenance.identity import Identities
from benchmarks.record.records import EntryRecord


def why_stale(record: EntryRecord, params: Params | None, today: Identities) -> str | None:
    """Why nobody would get this record today, or None; `params` are those of its profile, None where that is gone."""
    if params is None:
        return f"there is no profile {record.profile}"
    if record.entry not in params.entries:
        return f"profile {params.profile} has no such entry"
    composed = params.entries[record.entry]
    if record.source != today.evaluation(params, record.entry):
        return "it was made by other code than today's"
    if not record.modified and record.settings_hash != params.settings_hash(record.entry):
        return "it was made with other settings than the profile has"
    if [run.seed for run in record.runs] != composed.seeds:
        return f"it has other seeds than the profile, {composed.seeds}"
    return None
