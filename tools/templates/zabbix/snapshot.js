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

// Whoever names a process or a container must not put a macro of Zabbix, or the end of a key, into ours.
function plain(text, most) {
    return text.replace(/[^\w.:@ +=-]/g, '_').substring(0, most).trim();
}

// The tables of other network namespaces, each under a name that outlives a restart: that of its container or unit.
// Where that tells nothing, or tells two apart no more, the number of the first process goes in. In `others`, '*' speaks
// for those that are not listed: they are gone, or they have at most as many entries as the last one that is.
function tellNamespaces(conntrack) {
    var found = conntrack.namespaces;
    var blind = snapshot.findings.some(function (finding) {
        return finding.code === 'conntrack-namespaces-unseen';
    });
    conntrack.refused_elsewhere = 0;
    if (!found && blind) {
        return;
    }
    var tables = found ? found.tables : [];
    var last = found && found.left_out && tables.length ? tables[tables.length - 1] : {};
    var taken = {};
    conntrack.others = [];
    conntrack.discovered = [];
    // The older process first: of two with one name it had the name before.
    tables.slice().sort(function (one, other) {
        return one.pid - other.pid;
    }).forEach(function (table) {
        if (table.own) {
            return;
        }
        var container = plain(table.container, 80);
        var process = [plain(table.command, 32), 'pid ' + table.pid].filter(String).join(', ');
        var id = container || 'pid ' + table.pid;
        while (taken[id]) {
            id += ' pid ' + table.pid;
        }
        taken[id] = true;
        var one = {id: id, entries: table.entries, usage: table.usage || 0, drops: table.drops, refused: table.refused};
        // Told to ignore the finding, it is not to come back as a number.
        if (!snapshot.found['conntrack-namespace-table-full'] && one.refused) {
            one.refused = 0;
        }
        conntrack.refused_elsewhere += one.refused || 0;
        conntrack.others.push(one);
        conntrack.discovered.push({
            id: id, holder: container ? container + ' (' + process + ')' : process, pid: table.pid
        });
    });
    if (!found || !(found.unvisited_processes || found.unread)) {
        conntrack.others.push({id: '*', entries: last.entries || 0, usage: last.usage || 0, refused: 0});
    }
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
    tellNamespaces(conntrack);
    // What explains it comes as an item of its own, and may come a moment later.
    if (conntrack.refused_elsewhere) {
        snapshot.found['conntrack-table-full-elsewhere'] = 0;
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
