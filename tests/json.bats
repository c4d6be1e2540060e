#!/usr/bin/env bats
# --json: one document for each command, in the form that stagefencectl(8) describes, whatever happens.

setup() {
	load lib
	needs program jq
	policy job '{ name = "build"; block_calls = "mkdir"; block_action = "errno";
    rules = ( { calls = "ioctl"; action = "errno"; errno = "EACCES"; comment = "no\ttyping";
      args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); } );
    expect = ( { call = "mkdirat"; gives = "EPERM"; }, { call = "rmdir"; gives = "EPERM"; },
      { run = "mkdir out"; status = 1; output = "*not permitted"; } ); }'
}

# document STATUS COMMAND...: its standard output alone is the document; nothing is on standard error
document() {
	local want=$1 status=0
	shift
	within 30 stagefencectl "$@" >out.json 2>err || status=$?
	cat err
	[ "$status" = "$want" ]
	[ ! -s err ]
	python3 -m json.tool out.json >/dev/null
	[ "$(jq -c '[.version, .command, (.mistakes | type), (.good | type)]' out.json)" = "[1,\"$1\",\"array\",\"boolean\"]" ]
	# strict readers refuse a key that comes twice
	[ "$(jq --stream -c 'select(length == 2) | .[0]' out.json | sort | uniq -d)" = "" ]
}

value() {
	jq -c "$@" out.json
}

@test "check says what was proved, and each mistake with its place" {
	document 0 check --json -c job.conf
	[ "$(value '[.good, .stages, (.programs > 0), (.instructions > 10), (.judged > 1000)]')" = '[true,1,true,true,true]' ]
	[ "$(value '.sources | map(select(.present)) | map(.path | sub(".*/"; ""))')" != '[]' ]
	sed -i 's/"mkdir"/"mkdri"/; s/TIOCSTI/TIOCSTY/' job.conf
	document 1 check --json -c job.conf
	[ "$(value .good)" = false ]
	[ "$(value '.mistakes | map([.kind, .file, .line])')" = '[["error","job.conf",3],["error","job.conf",5]]' ]
	[ "$(value '.mistakes[0].message')" = '"unknown system call mkdri"' ]
	document 1 check --json -c none.conf
	[ "$(value '.mistakes | map([.kind, .line])')" = '[["error",null]]' ]
}

@test "check's notes are there, and are no mistakes" {
	policy job '{ name = "build"; block_calls = "ptrace"; block_action = "errno"; }'
	document 0 check --json -c job.conf
	[ "$(value '[.good, (.mistakes | length > 0), (.mistakes | map(.kind) | unique)]')" = '[true,true,["note"]]' ]
}

@test "show has every call that can come, once, with its answers and their lines" {
	document 0 show --json -c job.conf
	[ "$(value '.stages | length')" = 1 ]
	[ "$(value '.stages[0] | [.name, .file, .line, .attributes.no_new_privs, .attributes.mode, .unknown.errno_name]')" = \
		'["build","job.conf",3,true,"filter","ENOSYS"]' ]
	[ "$(value '.stages[0].calls[] | select(.names | index("mkdir")) | .answers[0] | [.where, .action, .errno, .errno_name, .line]')" = \
		'[[],"errno",1,"EPERM",3]' ]
	[ "$(value '.stages[0].calls[] | select(.names | index("mkdirat")) | .answers[0].by_way_of')" = '"mkdir"' ]
	[ "$(value '.stages[0].calls[] | select(.names == ["ioctl"]) | .answers | map([.where, .action, .comment])')" = \
		'[[[{"arg":1,"mask":"0xffffffff","op":"==","value":"0x5412","text":"TIOCSTI"}],"errno","no\ttyping"],[[],"allow",null]]' ]
	[ "$(value '[.stages[0].calls[].names[]] | [length > 300, (length == (unique | length))]')" = '[true,true]' ]
	document 1 show --json -c job.conf -s none
	[ "$(value '.mistakes[0].message')" = '"there is no stage none"' ]
}

@test "show --json and show agree, call by call" {
	document 0 show --json -c job.conf
	stagefencectl show -c job.conf >shown.conf
	for call in mkdir mkdirat ioctl rmdir clone3 io_uring_setup; do
		run -0 stagefencectl explain -c shown.conf "$call"
		[ "$(sed -n '1s/^[^:]*: \([A-Za-z_]*\).*/\1/p' <<<"$output")" = \
			"$(jq -r --arg call $call '.stages[0].calls[] | select(.names | index($call)) | .answers[0] | .errno_name // .action' out.json)" ]
	done
}

@test "explain answers for a call, or for a call with arguments" {
	document 0 explain --json -c job.conf ioctl
	[ "$(value '[.stage, .call, .arguments, (.answers | map([(.where | length), .action]))]')" = \
		'["build","ioctl",null,[[1,"errno"],[0,"allow"]]]' ]
	document 0 explain --json -c job.conf ioctl 0 TIOCSTI
	[ "$(value '[.arguments[1], (.answers | map([.action, .errno_name, .line]))]')" = '["0x5412",[["errno","EACCES",4]]]' ]
	document 1 explain --json -c job.conf nosuch
	[ "$(value '.mistakes | map(.message)')" = '["unknown system call nosuch"]' ]
	document 0 explain --json -c job.conf --arch riscv64 mkdir
	[ "$(value '[.architecture, .number, .answers]')" = '["riscv64",null,[]]' ]
}

@test "test tells each expectation's verdict, and prints no TAP" {
	document 1 test --json -c job.conf
	[ "$(value '.results | map([.stage, .verdict, .line])')" = \
		'[["build","passed",6],["build","failed",6],["build","passed",7]]' ]
	[ "$(value '.results[1].why')" = '"it gives allow, by no rule"' ]
	sed -i '/rmdir/s/, { call = "rmdir"; gives = "EPERM"; }//' job.conf
	document 0 test --json -c job.conf
	[ "$(value '[.good, (.results | length)]')" = '[true,2]' ]
}

@test "what a command prints is text in the document, whatever its bytes" {
	policy job '{ name = "build"; expect = (
    { run = "printf \"\\\\377\\\\001\\\\033[2J\\\"}{\\\\n\\\"version\\\":2\""; status = 3; } ); }'
	document 1 test --json -c job.conf
	[ "$(value '.results | length')" = 1 ]
	[[ "$(value '.results[0].why')" == *'it ended with status 0'* ]]
	[ "$(value .version)" = 1 ]
	# nothing in the document steers a terminal
	[ "$(tr -d '\n' <out.json | LC_ALL=C grep -c '[[:cntrl:]]')" = 0 ]
}

@test "diff lists what is different, from and to" {
	sed 's/block_calls = "mkdir"/block_calls = "rmdir"/; s/"build"/"other"/' job.conf >new.conf
	document 1 diff --json ./job.conf ./new.conf
	[ "$(value '[.differences[] | select(.kind == "stage") | [.stage, .only_in]]')" = '[["build","first"],["other","second"]]' ]
	sed -i 's/"other"/"build"/' new.conf
	document 1 diff --json ./job.conf ./new.conf
	[ "$(value '[.differences[] | select(.call == "mkdir") | [.kind, .from[0].errno_name, .to[0].action]]')" = '[["call","EPERM","allow"]]' ]
	sed -i 's/block_action/log_blocked = true; &/' new.conf
	document 1 diff --json ./job.conf ./new.conf
	[ "$(value '[.differences[] | select(.kind == "key") | [.stage, .key, .from, .to]]')" = '[["build","log_blocked","false","true"]]' ]
	document 0 diff --json ./job.conf ./job.conf
	[ "$(value .differences)" = '[]' ]
}

@test "a policy's text cannot end the document early, and hundreds of mistakes fit" {
	policy job "{ name = \"build\"; block_calls = [ $(printf '"x%d\\"}],", ' {1..400}) \"y\" ]; block_action = \"errno\"; }"
	document 1 check --json -c job.conf
	[ "$(value '[(.mistakes | length), .mistake_count]')" = '[200,401]' ]
	[[ "$(value '.mistakes[0].message')" == *'x1\"}],'* ]]
}

@test "wrong usage is no document" {
	run -2 stagefencectl import --json --from jacamar x
	run -2 stagefencectl explain --json -c job.conf
	[ "$(head -c1 <<<"$output")" != "{" ]
}
