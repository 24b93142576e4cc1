// One look at the answer of `tablefull snapshot`: is it one, and what in it has no trigger of its own?
// Findings with a trigger of their own, by the check whose verdict counts.
var OWN = /*own*/;
// Each check with the part of the snapshot it judges.
var PARTS = /*parts*/;
// Critical outranks warning, and warning unknown.
var RANK = {info: 0, unknown: 1, warning: 2, critical: 3};
var snapshot;

function failed(status, reason) {
    return JSON.stringify({status: status, error: String(reason).replace(/\s+/g, ' ').substring(0, 255)});
}

try {
    snapshot = JSON.parse(value);
} catch (error) {
    if (/^\S*(sh|python[\d.]*): .*(not found|No such file or directory)$/.test(value)) {
        return failed(3, value);
    }
    if (/^\S*(sh|python[\d.]*): .*Permission denied$/.test(value)) {
        return failed(4, value);
    }
    return failed(2, value === '' ? 'an empty answer' : value);
}
if (snapshot === null || typeof snapshot !== 'object') {
    return failed(2, value);
}
if (snapshot.status) {
    return value;
}
if (snapshot.error) {
    return failed(1, snapshot.error);
}
if (snapshot.schema !== 1) {
    return failed(2, 'a snapshot of schema ' + snapshot.schema + '; this template reads schema 1');
}

snapshot.status = 0;
snapshot.error = '';
snapshot.other = {};
snapshot.found = {};
Object.keys(PARTS).forEach(function (check) {
    snapshot.other[check] = {severity: 0, summary: ''};
    // What could not be read has no findings, and is not healthy for that: its items keep their values.
    if (PARTS[check] === '' || snapshot[PARTS[check]].read) {
        Object.keys(OWN).forEach(function (code) {
            if (OWN[code] === check) {
                snapshot.found[code] = 0;
            }
        });
    }
});
snapshot.counts = {critical: 0, warning: 0, unknown: 0};
var table = [];
snapshot.findings.forEach(function (finding) {
    table.push((finding.severity + '         ').substring(0, 10) + finding.summary + ' [' + finding.code + ']');
    if (finding.severity === 'info') {
        return;
    }
    snapshot.counts[finding.severity] += 1;
    if (OWN[finding.code]) {
        if (snapshot.found[finding.code] !== undefined && OWN[finding.code] === finding.check) {
            snapshot.found[finding.code] = finding.severity_code;
        }
        return;
    }
    var other = snapshot.other[finding.check] || snapshot.other.snapshot;
    if (RANK[finding.severity] > (other.rank || 0)) {
        other.rank = RANK[finding.severity];
        other.severity = finding.severity_code;
        other.summary = finding.summary + ' [' + finding.code + ']';
    }
});
snapshot.table = table.join('\n') || 'nothing found';
snapshot.unseen = snapshot.unreadable.map(function (part) {
    return part.part + ': ' + part.reason + (part.remedy ? ' - ' + part.remedy : '');
}).join('\n') || 'everything was read';

// What is not there because it needs no limit, or is not in sight, gets a value that says so.
var conntrack = snapshot.conntrack;
if (conntrack.read) {
    if (conntrack.usage === undefined && conntrack.entries !== undefined) {
        conntrack.usage = 0;
    }
    if (conntrack.full_in === undefined) {
        conntrack.full_in = /*never*/;
    }
}
if (snapshot.modules.read) {
    snapshot.modules.names = snapshot.modules.loaded.map(function (module) {
        return module.name + (module.unexpected ? ' (unexpected)' : '');
    }).join('\n') || 'none';
}
if (snapshot.ferm.read && !snapshot.ferm.installed) {
    snapshot.ferm.active_code = snapshot.ferm.rules_code = /*not installed*/;
}
var worst = 0;
(snapshot.neighbour.families || []).forEach(function (family) {
    worst = Math.max(worst, family.usage || 0);
});
if (snapshot.neighbour.read) {
    snapshot.neighbour.usage = worst;
}
return JSON.stringify(snapshot);
