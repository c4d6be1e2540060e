#!/usr/bin/env bats
# One answer on every libconfig from 1.5 on. Only one version is here to be asked, so what the others would read differently
# must be refused before any of them sees it: by scan.c, which is asked alone as well.

setup() {
	load lib
}

@test "each odd input has the one answer that every libconfig would lead to" {
	local where text who what line=0 wrong=0 rows=0
	while IFS=$'\t' read -r where text who what; do
		line=$((line + 1))
		[ "${where:0:1}" != '#' ] || continue
		rows=$((rows + 1))
		case $where in
		value) text='version = 1; stages = ( { name = "x"; rules = ( { calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = '$text'; } ); } ); } );' ;;
		call) text='version = 1; stages = ( { name = "x"; block_action = "errno"; block_calls = '$text'; } );' ;;
		esac
		printf '%b' "$text" >p.conf
		run "$helpers/scan-check" p.conf
		[[ "$status$who" == 1scan || ("$status" == 0 && "$who" != scan) ]] ||
			{ echo "libconfig.tsv:$line: the scan gives $status: $output"; wrong=$((wrong + 1)); }
		run --separate-stderr within 20 stagefencectl check -c p.conf
		# shellcheck disable=SC2053,SC2154 # a pattern; run sets stderr
		if [ "$who" = good ]; then
			[ "$status" = 0 ]
		else
			[ "$status" = 1 ] &&
				[[ "$(head -n 1 <<<"$stderr")" == "stagefencectl: p.conf:"*": "$what ]]
		fi || { echo "libconfig.tsv:$line: $status: $stderr"; wrong=$((wrong + 1)); }
	done <"$tests/libconfig.tsv"
	echo "$rows inputs, $wrong wrong"
	[ "$rows" -ge 58 ]
	[ "$wrong" = 0 ]
}

@test "nesting and size are answered before libconfig can run out of memory over them" {
	local depth
	for depth in 1000 10000 1000000; do
		{ printf 'version = 1; x = '; head -c "$depth" /dev/zero | tr '\0' '('; } | head -c 1000000 >p.conf
		run -1 "$helpers/scan-check" p.conf
		[[ "$output" == *": nested too deep" ]]
		run -1 within 20 stagefencectl check -c p.conf
		one_line "$output"
	done
	{ printf 'version = 1; stages = ( { name = "x"; } );'; head -c 1100000 /dev/zero | tr '\0' ' '; } >p.conf
	run -1 "$helpers/scan-check" p.conf
	[[ "$output" == *": larger than 1 MiB" ]]
}
