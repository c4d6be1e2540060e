# stagefence: one plain GNU Makefile. What you set (CC CFLAGS CPPFLAGS LDFLAGS PKG_CONFIG prefix DESTDIR ...) wins.

prefix        ?= /usr/local
bindir        ?= $(prefix)/bin
sbindir       ?= $(prefix)/sbin
libdir        ?= $(prefix)/lib
includedir    ?= $(prefix)/include
datadir       ?= $(prefix)/share
mandir        ?= $(datadir)/man
bashcompdir   ?= $(datadir)/bash-completion/completions
zshcompdir    ?= $(datadir)/zsh/site-functions
fishcompdir   ?= $(datadir)/fish/vendor_completions.d
# where systemd looks for units; if empty, none are installed
unitdir       ?=
# where 32-bit programs' dynamic loader has its $LIB (/usr/lib32, /usr/lib); if empty, they get no shim
libdir32      ?=
# the policy is the machine's, wherever the programs live
sysconfdir    ?= /etc
localstatedir ?= /var
cachedir      ?= $(localstatedir)/cache

CC            ?= cc
PKG_CONFIG    ?= pkg-config
INSTALL       ?= install
CFLAGS        ?= -O2 -g
BUILD         ?= build

cc-has   = $(shell printf 'int x;' | $(CC) -Werror $(1) -x c -c - -o /dev/null 2>/dev/null && echo $(1))
warn    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wformat=2 -Wvla -Wstrict-prototypes
hard    := -fstack-protector-strong $(call cc-has,-fstack-clash-protection) $(call cc-has,-fcf-protection)
hard    += $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
paths   := -DBINDIR='"$(bindir)"' -DSBINDIR='"$(sbindir)"' -DLIBDIR='"$(libdir)"' -DDATADIR='"$(datadir)"' \
           -DSYSCONFDIR='"$(sysconfdir)"' -DCACHEDIR='"$(cachedir)"'
base    := -std=c11 -D_GNU_SOURCE -MMD -MP $(warn) $(paths)

libs        := libseccomp libconfig
libs_cflags  = $(shell $(PKG_CONFIG) --cflags $(libs))
# dlopen(3) is in a library of its own before glibc 2.34
libs_ldlibs  = $(shell $(PKG_CONFIG) --libs $(libs)) -ldl -pthread

# stagefencectl: an ordinary program
ctl_cflags   = $(base) $(hard) -fPIE $(libs_cflags) $(CPPFLAGS) $(CFLAGS)
ctl_ldflags  = -pie -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

# wrapper and shim: no libc, no relocations, never instrumented; their size and what they may call is the point,
# so the user's CFLAGS stay out except for a debugger's
free        := -ffreestanding -fno-builtin -fno-stack-protector -fvisibility=hidden -fno-jump-tables \
               -fno-asynchronous-unwind-tables $(call cc-has,-fno-tree-loop-distribute-patterns) \
               $(call cc-has,-fcf-protection=full) $(call cc-has,-mgeneral-regs-only) -g
free_ld     := -nostdlib -nostartfiles -Wl,-z,defs,-z,now,-z,noexecstack,-z,norelro,-z,noseparate-code,--build-id=none
wrap_cflags  = $(base) $(free) -O2 -fPIE $(CPPFLAGS)
# small is what counts in the shim; the tiny model is aarch64's
small       := -Os $(foreach o,-Oz -fomit-frame-pointer -ffinite-loops -fno-move-loop-invariants -fno-shrink-wrap \
               -fno-tree-forwprop -fno-tree-tail-merge -mcmodel=tiny,$(call cc-has,$o)) \
               $(call cc-has,-mllvm -disable-block-placement) $(call cc-has,-mllvm -enable-load-pre=false)
shim_cflags  = $(base) $(free) $(small) -fPIC $(CPPFLAGS)

# the shim for 32-bit programs of an x86_64 machine, where the compiler makes such; the kernel's headers are those of x86_64
multiarch   := $(shell $(CC) -print-multiarch 2>/dev/null)
cflags32     = -m32 $(if $(multiarch),-isystem /usr/include/$(multiarch))
has32       := $(shell printf '\043include <asm/unistd.h>\nint x = __NR_mmap2;' | $(CC) -m32 \
               $(if $(multiarch),-isystem /usr/include/$(multiarch)) -nostdlib -shared -x c - -o /dev/null 2>/dev/null && echo yes)

ctl_objects := $(addprefix $(BUILD)/wrapper/,ctl.o document.o export.o audit.o status.o doctor.o probe.o notify.o confine.o agent.o report.o where.o decode.o peek.o line.o reach.o expect.o trial.o junit.o compile.o explain.o verify.o filter.o cubes.o loader.o conf.o jacamar.o toml.o gitlab.o oci.o tree.o input.o close.o plugin.o alone.o scan.o plain.o image.o bpf.o \
               policy.o calls.o consts.o sha256.o json.o mem.o say.o)

# Slurm's plugin, where Slurm's headers are; spank= goes without
spank       := $(shell printf '\043include <slurm/spank.h>\n' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo $(BUILD)/spank_stagefence.so)

.PHONY: all demo test test-gitlab test-slurm bench-slurm test-jobs test-packages test-fresh test-programs lint fuzz mutants bench install uninstall deb rpm clean FORCE
.DELETE_ON_ERROR:

profiles    := $(notdir $(wildcard conf/profiles/*.conf))

all: $(BUILD)/stagefence $(BUILD)/stagefencectl $(BUILD)/libstagefence.so $(BUILD)/groups.conf \
     $(addprefix $(BUILD)/profiles/,$(profiles)) $(BUILD)/stagefence-groups.7 \
     $(if $(has32),$(BUILD)/libstagefence-i386.so) $(spank)

# a changed prefix or flag rebuilds what it is in
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)/wrapper $(@D)/preload
	@printf '%s\n' '$(CC) $(subst ','\'',$(ctl_cflags) $(ctl_ldflags) $(shim_cflags))' | cmp -s - $@ || \
	    printf '%s\n' '$(CC) $(subst ','\'',$(ctl_cflags) $(ctl_ldflags) $(shim_cflags))' >$@

$(BUILD)/wrapper/%.o: wrapper/%.c $(BUILD)/flags
	$(CC) $(ctl_cflags) -c -o $@ $<

$(BUILD)/stagefencectl: $(ctl_objects)
	$(CC) $(CFLAGS) $(ctl_ldflags) -o $@ $(ctl_objects) $(libs_ldlibs)

$(BUILD)/wrapper/stagefence.o: wrapper/stagefence.c $(BUILD)/flags
	$(CC) $(wrap_cflags) -c -o $@ $<

# nobody would make a relocation that a compiler has thought fit
$(BUILD)/stagefence: $(BUILD)/wrapper/stagefence.o
	$(CC) -static-pie $(free_ld) -o $@ $<
	@! readelf -rW $@ 2>/dev/null | grep 'R_[A-Z0-9]*_' || { echo '$@: relocations, with this compiler' >&2; exit 1; }

$(BUILD)/preload/shim.o: preload/shim.c $(BUILD)/flags
	$(CC) $(shim_cflags) -c -o $@ $<

$(BUILD)/libstagefence.so: $(BUILD)/preload/shim.o
	$(CC) -shared $(free_ld) -Wl,-z,initfirst,-z,nodelete,--hash-style=gnu -o $@ $<

$(BUILD)/preload/shim-i386.o: preload/shim.c $(BUILD)/flags
	$(CC) $(filter-out -fcf-protection%,$(shim_cflags)) $(cflags32) -c -o $@ $<

$(BUILD)/libstagefence-i386.so: $(BUILD)/preload/shim-i386.o
	$(CC) -m32 -shared $(free_ld) -Wl,-z,initfirst,-z,nodelete,--hash-style=gnu -o $@ $<

$(BUILD)/spank_stagefence.so: wrapper/spank.c $(BUILD)/flags
	$(CC) $(base) $(hard) -fPIC $(CPPFLAGS) $(CFLAGS) -shared -Wl,-z,relro,-z,now $(LDFLAGS) -MF $(BUILD)/wrapper/spank.d -o $@ $<

# beside the programs, so that a build tree works without being installed
$(BUILD)/groups.conf: conf/groups.conf
	@mkdir -p $(@D)
	cp $< $@
	@chmod go-w $@

$(BUILD)/profiles/%: conf/profiles/%
	@mkdir -p $(@D)
	cp $< $@
	@chmod go-w $(@D) $@

# dated as the page that refers to it
$(BUILD)/stagefence-groups.7: conf/groups.conf conf/groups.awk wrapper/stagefence.conf.5
	@mkdir -p $(@D)
	awk -v date="$$(sed -n 's/^\.Dd //p' wrapper/stagefence.conf.5)" -v path=/usr/local/share/stagefence/groups.conf \
	    -f conf/groups.awk conf/groups.conf >$@

# ---- for people: each installs what it needs, or says what to install ----

# make once more: what was missing when the flags above were chosen may be there now
demo:
	packaging/install-deps demo
	$(MAKE) all
	tests/demo/run "$(BUILD)"

test:
	packaging/install-deps test
	$(MAKE) all test-programs
	tests/run $(TESTS)

# the packages: built twice and compared, looked through, installed, upgraded and removed; then the suite, or the files in
# TESTS (with the word slurm tests/slurm, too), against the installed programs of the same packages
test-packages:
	packaging/install-deps packages
	$(MAKE) all test-programs
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb
	KEEP_DEBS="$(abspath $(BUILD))/deb" bats tests/packages/packages.bats
	STAGEFENCE_BUILD="$(abspath $(BUILD))" tests/packages/installed $(TESTS)

# the README's two commands, in a minimal Debian that is made for it
test-fresh:
	packaging/install-deps fresh
	BUILD="$(abspath $(BUILD))" tests/fresh/run $(SUITES)

# a real program's own build and tests, bare and confined; fetches its source by name
test-jobs:
	packaging/install-deps demo
	$(MAKE) all
	tests/jobs/run "$(BUILD)"

# in the order of the runner's contract; and in a Slurm of the tests' own, as who calls
test-gitlab:
	packaging/install-deps test
	$(MAKE) all
	tests/run gitlab.bats

test-slurm:
	packaging/install-deps slurm
	$(MAKE) all test-programs
	tests/slurm/run "$(BUILD)"

bench-slurm:
	packaging/install-deps slurm
	$(MAKE) all test-programs $(BUILD)/bench/empty.so
	SLURM_BUILD="$(abspath $(BUILD))" tests/slurm/run "$(BUILD)" tests/slurm/bench

$(BUILD)/bench/empty.so: tests/slurm/empty.c
	@mkdir -p $(@D)
	$(CC) $(test_cflags) -shared -fPIC -o $@ $<

# ---- tests' own programs ----

plain_tests  := reaper agent listen twice seen signals abi anonymous forge fuse handover nest own-environ pretend privileges try readback selfmade
bare_tests   := bare golike replay
MUSL_CC      ?= musl-gcc
# EL 8 and 9 have no such compiler: there the tests of musl's programs say so
musl_tests   := $(if $(shell command -v $(firstword $(MUSL_CC)) 2>/dev/null),try-musl try-musl-static try-musl-local \
                early-environ-musl.so early-thread-musl.so)
test_names   := $(plain_tests) $(bare_tests) bare-i386 seen-local try-local try-static try-static-pie try-asan \
                $(musl_tests) early-environ.so early-thread.so flip decide prove variant same live calls-check scan-check \
                engine random report-drive refuse refuse-static fake-bash
test_base     = -std=c11 -D_GNU_SOURCE $(warn) -O1 -g
test_cflags   = $(test_base) -MMD -MP $(paths) $(CPPFLAGS) $(CFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE))
bare_cflags   = $(test_base) -ffreestanding -fno-builtin -fno-stack-protector -fno-pie -no-pie -static -nostdlib
ctl_parts     = $(filter-out %/ctl.o,$(ctl_objects))
# a loader of the test's own, where an ordinary user plays root and real root's files have no owner that he knows
local_ld     := -Wl,--dynamic-linker=/usr/local/lib

test_plugins := mkdir conditions default loosen bad no-version other-version no-function undefined constructor

test-programs: $(addprefix $(BUILD)/tests/,$(test_names)) \
    $(addprefix $(BUILD)/tests/plugins/,$(addsuffix .so,$(test_plugins)))

$(BUILD)/tests:
	@mkdir -p $@

$(addprefix $(BUILD)/tests/,$(plain_tests)): $(BUILD)/tests/%: tests/helpers/%.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(test_cflags) -o $@ $< $(LDFLAGS) -lpthread

$(addprefix $(BUILD)/tests/,$(bare_tests)): $(BUILD)/tests/%: tests/helpers/%.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(bare_cflags) -o $@ $<

# where there is no i386 (aarch64, or a compiler without it) the tests that need it say so
$(BUILD)/tests/bare-i386: tests/helpers/bare.c | $(BUILD)/tests
	-$(CC) -m32 $(bare_cflags) -o $@ $<

$(BUILD)/tests/%-local: tests/helpers/%.c | $(BUILD)/tests
	$(CC) $(test_cflags) $(local_ld)/ld-linux-test.so.2 -o $@ $< $(LDFLAGS)

$(BUILD)/tests/try-static: tests/helpers/try.c | $(BUILD)/tests
	$(CC) $(test_cflags) -static -o $@ $<

$(BUILD)/tests/try-static-pie: tests/helpers/try.c | $(BUILD)/tests
	$(CC) $(test_cflags) -static-pie -fPIE -o $@ $<

$(BUILD)/tests/try-asan: tests/helpers/try.c | $(BUILD)/tests
	$(CC) $(test_cflags) -fsanitize=address -o $@ $<

$(BUILD)/tests/try-musl: tests/helpers/try.c | $(BUILD)/tests
	$(MUSL_CC) $(test_base) -o $@ $<

$(BUILD)/tests/try-musl-static: tests/helpers/try.c | $(BUILD)/tests
	$(MUSL_CC) $(test_base) -static -o $@ $<

$(BUILD)/tests/try-musl-local: tests/helpers/try.c | $(BUILD)/tests
	$(MUSL_CC) $(test_base) $(local_ld)/ld-musl-test.so.1 -o $@ $<

$(BUILD)/tests/early-%-musl.so: tests/helpers/early-%.c | $(BUILD)/tests
	$(MUSL_CC) $(test_base) -fPIC -shared -o $@ $<

$(BUILD)/tests/early-%.so: tests/helpers/early-%.c | $(BUILD)/tests
	$(CC) $(test_cflags) -fPIC -shared -o $@ $< -lpthread

# each image in memory of exactly its size
$(BUILD)/tests/flip: tests/helpers/flip.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(test_cflags) -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $<

$(BUILD)/tests/decide $(BUILD)/tests/live $(BUILD)/tests/prove: $(BUILD)/tests/%: tests/%.c $(ctl_parts) | $(BUILD)/tests
	$(CC) $(test_cflags) -o $@ $< $(ctl_parts) $(libs_ldlibs) $(LDFLAGS)

$(BUILD)/tests/report-drive: tests/helpers/report-drive.c $(ctl_parts) | $(BUILD)/tests
	$(CC) $(test_cflags) -o $@ $< $(ctl_parts) $(libs_ldlibs) $(LDFLAGS)

$(BUILD)/tests/fake-bash: tests/helpers/fake-bash.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(test_cflags) -rdynamic -o $@ $< $(LDFLAGS)

$(BUILD)/tests/refuse: tests/helpers/refuse.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(test_cflags) -pthread -o $@ $< $(LDFLAGS)

$(BUILD)/tests/refuse-static: tests/helpers/refuse.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(test_cflags) -pthread -static -o $@ $<

$(BUILD)/tests/same: tests/same.c $(ctl_parts) | $(BUILD)/tests
	$(CC) $(test_cflags) -O2 -o $@ $< $(ctl_parts) $(libs_ldlibs) $(LDFLAGS)

$(BUILD)/tests/variant: tests/helpers/variant.c $(BUILD)/wrapper/bpf.o | $(BUILD)/tests
	$(CC) $(test_cflags) -o $@ $< $(BUILD)/wrapper/bpf.o $(LDFLAGS)

$(BUILD)/tests/calls-check: tests/calls-check.c $(BUILD)/wrapper/calls.o | $(BUILD)/tests
	$(CC) $(test_cflags) $(libs_cflags) -o $@ $< $(BUILD)/wrapper/calls.o $(libs_ldlibs) $(LDFLAGS)

$(BUILD)/tests/scan-check: tests/scan-check.c $(addprefix $(BUILD)/wrapper/,scan.o say.o) | $(BUILD)/tests
	$(CC) $(test_cflags) -o $@ $< $(BUILD)/wrapper/scan.o $(BUILD)/wrapper/say.o $(LDFLAGS)

# with libraries of its own, against those of stagefencectl
$(BUILD)/tests/engine: tests/helpers/engine.c $(BUILD)/flags | $(BUILD)/tests
	$(CC) $(test_cflags) $(libs_cflags) -o $@ $< -ljansson $(libs_ldlibs) $(LDFLAGS)

$(BUILD)/tests/random: tests/fuzz/random.c tests/fuzz/quiet.h $(ctl_objects) | $(BUILD)/tests
	$(CC) $(test_cflags) -O2 -o $@ $< $(filter-out %/say.o,$(ctl_parts)) $(libs_ldlibs) $(LDFLAGS)

# ---- fuzzing and mutation: not part of the tests' verdict ----

FUZZ_SECONDS ?= 60
FUZZ_JUDGED  ?= 10000000
# calls that are made on the running kernel as well
FUZZ_LIVE    ?= 50000
fuzz_cflags   = -std=c11 -D_GNU_SOURCE $(paths) -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
# quiet.h takes say.c's place where mistakes are expected by the thousand
quiet_parts   = $(filter-out %/say.o,$(ctl_parts))
fuzz_sources  = $(patsubst $(BUILD)/%.o,%.c,$(if $(filter policy oci,$*),$(quiet_parts),$(ctl_parts)))

fuzz: $(addprefix $(BUILD)/fuzz/,fuzz_image fuzz_policy fuzz_jacamar fuzz_audit fuzz_report fuzz_oci random)
	@mkdir -p $(BUILD)/fuzz/image $(BUILD)/fuzz/policy $(BUILD)/fuzz/jacamar $(BUILD)/fuzz/audit $(BUILD)/fuzz/report \
	    $(BUILD)/fuzz/oci
	$(BUILD)/fuzz/fuzz_image -max_total_time=$(FUZZ_SECONDS) $(BUILD)/fuzz/image
	$(BUILD)/fuzz/fuzz_policy -max_total_time=$(FUZZ_SECONDS) -dict=tests/fuzz/policy.dict $(BUILD)/fuzz/policy \
	    tests/policies/good
	$(BUILD)/fuzz/fuzz_jacamar -max_total_time=$(FUZZ_SECONDS) $(BUILD)/fuzz/jacamar
	$(BUILD)/fuzz/fuzz_report -max_total_time=$(FUZZ_SECONDS) $(BUILD)/fuzz/report
	$(BUILD)/fuzz/fuzz_audit -max_total_time=$(FUZZ_SECONDS) -dict=tests/fuzz/audit.dict $(BUILD)/fuzz/audit
	$(BUILD)/fuzz/fuzz_oci -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -dict=tests/fuzz/oci.dict $(BUILD)/fuzz/oci \
	    tests/policies/oci
	$(BUILD)/fuzz/random -n $(FUZZ_JUDGED) -k $(FUZZ_LIVE)

# does a test or the compiler itself notice, when a check is taken out? takes most of an hour; MUTANTS: some of them, by
# name (tests/mutants/run -l)
mutants:
	tests/mutants/run $(MUTANTS)

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(ctl_objects)
	@mkdir -p $(@D)
	clang $(fuzz_cflags) $(libs_cflags) -o $@ $< $(fuzz_sources) $(libs_ldlibs)

$(BUILD)/fuzz/random: tests/fuzz/random.c $(ctl_objects)
	@mkdir -p $(@D)
	$(CC) $(test_cflags) -O2 -o $@ $< $(quiet_parts) $(libs_ldlibs) $(LDFLAGS)

# as a site builds its own: no flag of ours
$(BUILD)/tests/plugins/%.so: tests/plugins/%.c wrapper/stagefence-plugin.h
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(warn) -Iwrapper $(CPPFLAGS) $(CFLAGS) -shared -fPIC -o $@ $< $(LDFLAGS)

# ---- benchmarks: ratios in one run, no verdicts ----

bench: all $(addprefix $(BUILD)/bench/,launch call allow floor)
	tests/bench/run $(BUILD)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(test_cflags) -O2 $(if $(filter allow,$*),$(libs_cflags)) -o $@ $< \
	    $(if $(filter allow,$*),$(libs_ldlibs)) $(LDFLAGS)

# linked as the wrapper is, whose floor it measures
$(BUILD)/bench/floor: tests/bench/floor.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(wrap_cflags) -static-pie $(free_ld) -o $@ $<

# ---- lint ----

c_files      := $(wildcard preload/*.[ch] wrapper/*.[ch])
shell_files   = .ci/run tests/run tests/lib.bash $(wildcard tests/*.sh tests/*.bats tests/*/run tests/helpers/machine tests/helpers/inject tests/helpers/scratch tests/packages/*) \
                $(wildcard packaging/install-deps) $(completions)/stagefence.bash
ctl_sources   = $(patsubst $(BUILD)/%.o,%.c,$(ctl_objects))

# the analyzer does not see what a system call of raw.h writes
lint: $(BUILD)/stagefence-groups.7
	clang-format --dry-run --Werror $(c_files)
	for f in $(ctl_sources); do $(CC) $(filter-out -MMD -MP,$(base)) $(libs_cflags) -O1 -fanalyzer \
	    -Wno-analyzer-use-of-uninitialized-value -Werror -c -o /dev/null $$f || exit 1; done
	cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 -D__x86_64__ \
	    --suppress=missingIncludeSystem $(paths) preload wrapper
	printf '%s\n' $(ctl_sources) | xargs -P "$$(nproc)" -I FILE \
	    clang-tidy --quiet --warnings-as-errors='*' FILE -- -std=c11 -D_GNU_SOURCE $(paths) $(libs_cflags)
	shellcheck --severity=warning --exclude=SC2154,SC2030,SC2031,SC2164 $(shell_files)
	mandoc -Tlint -W warning $(pages)

pages         = $(wildcard wrapper/*.[1358]) $(BUILD)/stagefence-groups.7
# a plugin that was not built needs no page
pages_here    = $(if $(spank),$(pages),$(filter-out %/stagefence-slurm.8,$(pages)))
units         = $(wildcard packaging/systemd/*)
completions  := packaging/completions
# every file that installing makes, but the policy
installed     = $(bindir)/stagefence $(sbindir)/stagefencectl $(libdir)/stagefence/libstagefence.so \
                $(includedir)/stagefence-plugin.h $(datadir)/stagefence/groups.conf \
                $(addprefix $(datadir)/stagefence/profiles/,$(profiles)) \
                $(foreach page,$(pages_here),$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
                $(bashcompdir)/stagefence $(bashcompdir)/stagefencectl $(zshcompdir)/_stagefence \
                $(fishcompdir)/stagefence.fish $(fishcompdir)/stagefencectl.fish \
                $(if $(libdir32),$(libdir32)/stagefence/libstagefence.so) \
                $(if $(spank),$(libdir)/stagefence/spank_stagefence.so) \
                $(if $(unitdir),$(patsubst packaging/systemd/%,$(unitdir)/%,$(units)))
# the files name the folders of an installation without further words; what is installed names its own
relocate      = sed -e 's|/usr/local/bin|$(bindir)|g' -e 's|/usr/local/sbin|$(sbindir)|g' -e 's|/usr/local/lib/|$(libdir)/|g' \
                -e 's|/usr/local/share|$(datadir)|g' -e 's|/var/cache/|$(cachedir)/|g' \
                -e 's|\([^A-Za-z]\)/etc/stagefence|\1$(sysconfdir)/stagefence|g' \
                $(1) >$(DESTDIR)$(2) && chmod 644 $(DESTDIR)$(2)

# INSTALL_ONLY: what is built, as it is
install: $(if $(INSTALL_ONLY),,all)
	$(INSTALL) -d $(sort $(dir $(addprefix $(DESTDIR),$(installed)))) \
	    $(DESTDIR)$(sysconfdir)/stagefence/conf.d $(DESTDIR)$(cachedir)/stagefence
	# not readable: so the kernel starts it undumpable, and no process of the same uid can seize it before its fence
	$(INSTALL) -m 711 $(BUILD)/stagefence $(DESTDIR)$(bindir)/stagefence
	# nor is this: as a supervisor it answers for a job of its own uid
	$(INSTALL) -m 711 $(BUILD)/stagefencectl $(DESTDIR)$(sbindir)/stagefencectl
	$(INSTALL) -m 755 $(BUILD)/libstagefence.so $(DESTDIR)$(libdir)/stagefence/libstagefence.so
	$(if $(libdir32),$(INSTALL) -m 755 $(BUILD)/libstagefence-i386.so $(DESTDIR)$(libdir32)/stagefence/libstagefence.so)
	$(if $(spank),$(INSTALL) -m 755 $(spank) $(DESTDIR)$(libdir)/stagefence/spank_stagefence.so)
	$(INSTALL) -m 644 conf/groups.conf $(DESTDIR)$(datadir)/stagefence/groups.conf
	$(INSTALL) -m 644 $(addprefix conf/profiles/,$(profiles)) $(DESTDIR)$(datadir)/stagefence/profiles
	$(INSTALL) -m 644 wrapper/stagefence-plugin.h $(DESTDIR)$(includedir)/stagefence-plugin.h
	$(foreach page,$(pages_here),$(call relocate,$(page),$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) &&) :
	$(INSTALL) -m 644 $(completions)/stagefence.bash $(DESTDIR)$(bashcompdir)/stagefence
	ln -sf stagefence $(DESTDIR)$(bashcompdir)/stagefencectl
	$(INSTALL) -m 644 $(completions)/_stagefence $(DESTDIR)$(zshcompdir)/_stagefence
	$(INSTALL) -m 644 $(completions)/stagefence.fish $(DESTDIR)$(fishcompdir)/stagefence.fish
	ln -sf stagefence.fish $(DESTDIR)$(fishcompdir)/stagefencectl.fish
	$(if $(unitdir),$(foreach unit,$(units),$(call relocate,$(unit),$(unitdir)/$(notdir $(unit))) &&) :)
	test -e $(DESTDIR)$(sysconfdir)/stagefence/stagefence.conf || \
	    $(INSTALL) -m 644 conf/stagefence.conf $(DESTDIR)$(sysconfdir)/stagefence/stagefence.conf

# the policy stays: it is the administrator's
uninstall:
	rm -f $(addprefix $(DESTDIR),$(installed)) $(DESTDIR)$(cachedir)/stagefence/policy.sfi
	# other packages may have put profiles and drop-ins there
	-rmdir $(addprefix $(DESTDIR),$(addsuffix /stagefence,$(libdir) $(libdir32)) $(datadir)/stagefence/profiles \
	    $(datadir)/stagefence $(cachedir)/stagefence)

# ---- packages: built from copies under $(BUILD), of the tree as it is, by whoever has the tools ----

version       = $(shell sed -n 's/^.define VERSION "\(.*\)"/\1/p' wrapper/version.h)
# the tree as a release has it: the same bytes whatever the umask, the user, the clock and the folder are
release       = stagefence-$(version)
tarball       = tar --create --sort=name --format=gnu --mtime="@$$(date -d "$$(sed -n \
                    's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)" +%s)" --mode=u=rwX,go=rX --owner=root:0 --group=root:0 --exclude=./.git --exclude='./build*' \
                    --transform='s|^\.|$(release)|' . | gzip -9n

# where Slurm's headers are not, there is no package for it
deb: FORCE
	packaging/install-deps deb
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb
	$(tarball) >$(BUILD)/deb/stagefence_$(version).orig.tar.gz
	cd $(BUILD)/deb && tar -xpf stagefence_$(version).orig.tar.gz && cp -pR $(release)/packaging/debian $(release)/debian
	cd $(BUILD)/deb/$(release) && env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u BUILD dpkg-buildpackage -us -uc \
	    $(if $(spank),,-Ppkg.stagefence.noslurm) $(DEBFLAGS)

# RPMFLAGS: of your own; CHECK=1: with the tests. Not on an RPM system: its tools miss their distribution, and know no package that is installed.
rpm_flags     = $(if $(wildcard /etc/redhat-release),,--nodeps --load '$(CURDIR)/packaging/rpm/debian-host.macros') \
                $(if $(spank),,--without slurm)
rpmbuild      = env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u BUILD rpmbuild $(rpm_flags) $(RPMFLAGS)
rpm: FORCE
	packaging/install-deps rpm
	rm -rf $(BUILD)/rpm
	mkdir -p $(BUILD)/rpm/SOURCES $(BUILD)/rpm/SPECS
	$(tarball) >$(BUILD)/rpm/SOURCES/$(release).tar.gz
	cp packaging/rpm/stagefence.spec $(BUILD)/rpm/SPECS
	chmod 644 $(BUILD)/rpm/SOURCES/* $(BUILD)/rpm/SPECS/*
	# one after the other: a source package would have the path that it is built in, and the others its sum
	cd $(BUILD)/rpm && $(rpmbuild) -bs --define "_topdir ." SPECS/stagefence.spec
	$(rpmbuild) -bb $(if $(CHECK),,--without check) --define "_topdir $(abspath $(BUILD))/rpm" \
	    $(BUILD)/rpm/SPECS/stagefence.spec

-include $(wildcard $(addprefix $(BUILD)/,wrapper/*.d preload/*.d tests/*.d fuzz/*.d bench/*.d))

clean:
	rm -rf $(BUILD)
