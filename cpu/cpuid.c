/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/cpuid.h"

#include "base/err.h"
#include "base/util.h"
#include "cpu/system.h"
#include "cpu/xsave.h"

#include <stdlib.h>

static const struct {
	const char *name;
	uint32_t leaf, subleaf;
	char reg;
	uint8_t bit;
} features[] = {
#define REG_A 'A'
#define REG_B 'B'
#define REG_C 'C'
#define REG_D 'D'
#define FEATURE(name, leaf, subleaf, reg, bit) { #name, leaf, subleaf, REG_##reg, bit },
#include "cpu/feature.def"
#undef FEATURE
};

/* What there is an implementation of: the only features that a model may have. */
static const char implemented[] =
	" fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi mmx fxsr sse sse2 ht"
	" sse3 pclmulqdq monitor ssse3 cx16 pcid sse4_1 sse4_2 x2apic popcnt tsc_deadline aes xsave hypervisor"
	" arat fsgsbase tsc_adjust smep erms invpcid smap umip pku la57 fsrm rdpid xsaveopt xsavec xgetbv1 xsaves"
	" movbe bmi1 bmi2 adx abm clflushopt clwb avx avx2 fma f16c vaes vpclmulqdq sha_ni gfni rdrand rdseed"
	" avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512_vbmi2 avx512_vnni avx512_bitalg"
	" avx512_vpopcntdq avx512_bf16 avx512_fp16 avx512_vp2intersect wbnoinvd fzrm fsrs fsrc"
	" shstk ibt serialize movdiri movdir64b cldemote waitpkg lahf_lm cr8_legacy sse4a xop fma4 tbm 3dnowprefetch syscall nx pdpe1gb"
	" rdtscp lm ";

static const struct {
	const char *name, *vendor;
	uint32_t signature, max_leaf;
	const char *brand, *features;
} models[] = {
#define MODEL(name, vendor, signature, max_leaf, brand, features) { name, vendor, signature, max_leaf, brand, features },
#include "cpu/model.def"
#undef MODEL
};

/* Other names of features. */
static const struct { const char *name, *ours; } aliases[] = {
	{ "pni", "sse3" }, { "pclmuldq", "pclmulqdq" }, { "xd", "nx" }, { "i64", "lm" },
};

static bool
separates(char c)
{
	return c == '-' || c == '_' || c == '.';
}

/* Are A and the LEN characters at B the same name?  It may be written avx512_fp16, avx512-fp16, avx512fp16. */
static bool
same_feature(const char *a, size_t a_len, const char *b, size_t len)
{
	const char *a_end = a + a_len, *b_end = b + len;

	for (;; a++, b++) {
		while (a < a_end && separates(*a))
			a++;
		while (b < b_end && separates(*b))
			b++;
		if (a == a_end || b == b_end)
			return a == a_end && b == b_end;
		if (*a != *b)
			return false;
	}
}

/* Does the list, words between spaces, have the word? */
static bool
has_word(const char *list, const char *word, size_t len)
{
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, " ");

		if (same_feature(at, n, word, len))
			return true;
		at += n;
		at += strspn(at, " ");
	}
	return false;
}

static bool
is_implemented(unsigned feature)
{
	return has_word(implemented + 1, features[feature].name, strlen(features[feature].name));
}

static int
find_feature(const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		if (same_feature(aliases[i].name, strlen(aliases[i].name), name, len)) {
			name = aliases[i].ours;
			len = strlen(name);
			break;
		}
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
		if (same_feature(features[i].name, strlen(features[i].name), name, len))
			return i;
	return -1;
}

/* Is it the name of a feature that some model's processor has, though there is nothing of it here? */
static bool
is_lacking(const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
		if (has_word(models[i].features, name, len))
			return true;
	return false;
}

/* One word of the list behind the model: "+f", "-f", "f=on", "f=off", "f". */
static bool
parse_feature(struct cpuid_model *m, const char *text, size_t len, struct err *e)
{
	bool on = true;
	size_t name_len;
	int feature;

	if (len && (*text == '+' || *text == '-')) {
		on = *text == '+';
		text++;
		len--;
	}
	for (name_len = 0; name_len < len && text[name_len] != '='; name_len++)
		continue;
	if (name_len < len) {
		const char *value = text + name_len + 1;
		size_t n = len - name_len - 1;

		if (n == 3 && !memcmp(value, "off", 3))
			on = false;
		else if (!(n == 2 && !memcmp(value, "on", 2)))
			return err_set(e, "-cpu: feature '%.*s' takes on or off", (int)name_len, text);
	}
	if (has_word("enforce check", text, name_len))
		return true;
	feature = find_feature(text, name_len);
	if (feature < 0 && is_lacking(text, name_len))
		return !on || err_set(e, "-cpu: feature '%.*s' is not implemented", (int)name_len, text);
	if (feature < 0)
		return err_set(e, "-cpu: there is no feature '%.*s'", (int)name_len, text);
	if (on && !is_implemented(feature))
		return err_set(e, "-cpu: feature '%.*s' is not implemented", (int)name_len, text);
	m->has[feature] = on;
	return true;
}

/* The number of the model that TEXT begins with, or -1. */
static int
find_model(const char *text, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
		if (strlen(models[i].name) == len && !memcmp(models[i].name, text, len))
			return (int)i;
	return -1;
}

/* `max` is what runs at full speed.  FAST: TCG_ bits. */
static bool
is_slow(unsigned feature, unsigned fast)
{
	if (strncmp(features[feature].name, "avx512", 6) != 0)
		return false;
	if (feature == FEAT_avx512_fp16)
		return !(fast & TCG_FP16);
	if (feature == FEAT_avx512_vp2intersect)
		return !(fast & TCG_VP2INTERSECT);
	return !(fast & TCG_AVX512);
}

static bool
set_model(struct cpuid_model *m, const char *name, size_t len, unsigned fast_avx512, struct err *e)
{
	int i = find_model(name, len);
	bool leave_out;

	if (i < 0)
		return err_set(e, "-cpu: there is no model '%.*s'; -cpu help lists them", (int)len, name);
	snprintf(m->vendor, sizeof(m->vendor), "%s", models[i].vendor);
	m->amd = strcmp(m->vendor, "GenuineIntel") != 0;
	snprintf(m->brand, sizeof(m->brand), "%s", models[i].brand);
	m->signature = models[i].signature;
	m->max_leaf = models[i].max_leaf;
	m->max_ext_leaf = 0x80000008;
	leave_out = strcmp(models[i].name, "max") == 0;
	for (unsigned f = 0; f < ARRAY_SIZE(features); f++)
		m->has[f] = has_word(models[i].features, features[f].name, strlen(features[f].name)) && is_implemented(f) &&
			!(leave_out && is_slow(f, fast_avx512));
	return true;
}

/* Features that are of no use without another. */
static const struct { enum cpu_feature feature, needs; } needs[] = {
	{ FEAT_avx, FEAT_xsave }, { FEAT_avx2, FEAT_avx }, { FEAT_fma, FEAT_avx }, { FEAT_f16c, FEAT_avx }, { FEAT_vaes, FEAT_avx },
	{ FEAT_vpclmulqdq, FEAT_avx }, { FEAT_xsaveopt, FEAT_xsave }, { FEAT_xsavec, FEAT_xsave }, { FEAT_xgetbv1, FEAT_xsave },
	{ FEAT_avx512f, FEAT_avx2 }, { FEAT_avx512f, FEAT_fma }, { FEAT_avx512f, FEAT_f16c }, { FEAT_avx512cd, FEAT_avx512f },
	{ FEAT_avx512bw, FEAT_avx512f }, { FEAT_avx512dq, FEAT_avx512f }, { FEAT_avx512vl, FEAT_avx512f },
	{ FEAT_avx512ifma, FEAT_avx512f }, { FEAT_avx512vbmi, FEAT_avx512bw }, { FEAT_avx512_vbmi2, FEAT_avx512bw }, { FEAT_avx512_vnni, FEAT_avx512f },
	{ FEAT_avx512_bitalg, FEAT_avx512bw }, { FEAT_avx512_vpopcntdq, FEAT_avx512f }, { FEAT_avx512_bf16, FEAT_avx512bw },
	{ FEAT_avx512_vp2intersect, FEAT_avx512f }, { FEAT_avx512_fp16, FEAT_avx512bw },
	{ FEAT_xsaves, FEAT_xsave }, { FEAT_pku, FEAT_lm }, { FEAT_la57, FEAT_lm }, { FEAT_pku, FEAT_xsave }, { FEAT_xop, FEAT_avx },
	{ FEAT_fma4, FEAT_avx }, { FEAT_shstk, FEAT_pae }, { FEAT_ibt, FEAT_pae },
};

/* The next word of a model's list of features, from *AT on, that is not implemented: its length, or 0. */
static size_t
next_lacking(const char **at)
{
	for (*at += strspn(*at, " "); **at; *at += strspn(*at, " ")) {
		size_t n = strcspn(*at, " ");
		int feature = find_feature(*at, n);

		if (feature < 0 || !is_implemented(feature))
			return n;
		*at += n;
	}
	return 0;
}

/* For `enforce`. */
static bool
check_model(const char *name, size_t len, struct err *e)
{
	int model = find_model(name, len);
	const char *at = model < 0 ? "" : models[model].features;
	size_t n = next_lacking(&at);

	return n == 0 || err_set(e, "-cpu %.*s,enforce: feature '%.*s' is not implemented", (int)len, name, (int)n, at);
}

/* Does the list switch the feature off? */
static bool
is_off(const char *list, const char *name, size_t len)
{
	for (; *list == ','; list += strcspn(list, ",")) {
		size_t n = strcspn(++list, ","), value = strcspn(list, "=,");

		if (*list == '-' && same_feature(name, len, list + 1, n - 1))
			return true;
		if (value + 4 == n && !memcmp(list + value, "=off", 4) && same_feature(name, len, list, value))
			return true;
	}
	return false;
}

bool
cpu_model_lacks(const char *text, char *to, size_t size)
{
	size_t len = text ? strcspn(text, ",") : 0, used = 0, n;
	int model = text ? find_model(text, len) : -1;
	const char *at = model < 0 ? "" : models[model].features;

	for (; (n = next_lacking(&at)) != 0; at += n)
		if (!is_off(text + len, at, n) && used + n + 2 < size)
			used += (size_t)snprintf(to + used, size - used, "%s%.*s", used != 0 ? " " : "", (int)n, at);
	return used != 0;
}

static bool
asks_enforce(const char *list)
{
	for (; *list == ','; list += strcspn(list, ",")) {
		size_t len = strcspn(++list, ",");

		if ((len == 7 && !memcmp(list, "enforce", 7)) || (len == 10 && !memcmp(list, "enforce=on", 10)))
			return true;
	}
	return false;
}

struct cpuid_model *
cpuid_parse(const char *text, unsigned fast_avx512, struct err *e)
{
	struct cpuid_model *m = xcalloc(1, sizeof(*m));
	size_t len;

	if (!text || !*text)
		text = "max";
	len = strcspn(text, ",");
	if (!set_model(m, text, len, fast_avx512, e) || (asks_enforce(text + len) && !check_model(text, len, e)))
		goto fail;
	for (text += len; *text == ','; text += len) {
		text++;
		len = strcspn(text, ",");
		if (!parse_feature(m, text, len, e))
			goto fail;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		m->has[needs[i].feature] &= m->has[needs[i].needs];
	if (m->has[FEAT_xsave] && m->max_leaf < 0xd)
		m->max_leaf = 0xd;
	return m;
fail:
	free(m);
	return NULL;
}

void
cpu_list_models(FILE *to)
{
	fprintf(to, "Models:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
		fprintf(to, "  %-26s %s\n", models[i].name, models[i].brand);
	fprintf(to, "Features (model,+feature,-feature):\n ");
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
		if (is_implemented(i))
			fprintf(to, " %s", features[i].name);
	fprintf(to, "\n");
}

uint64_t
cpuid_cr4_mask(const struct cpu *c)
{
	static const struct { enum cpu_feature feature; uint64_t bits; } table[] = {
		{ FEAT_tsc, CR4_TSD }, { FEAT_de, CR4_DE }, { FEAT_pse, CR4_PSE }, { FEAT_pae, CR4_PAE }, { FEAT_mce, CR4_MCE },
		{ FEAT_pge, CR4_PGE }, { FEAT_fxsr, CR4_OSFXSR }, { FEAT_sse, CR4_OSXMMEXCPT }, { FEAT_umip, CR4_UMIP },
		{ FEAT_fsgsbase, CR4_FSGSBASE }, { FEAT_pcid, CR4_PCIDE }, { FEAT_xsave, CR4_OSXSAVE }, { FEAT_smep, CR4_SMEP },
		{ FEAT_smap, CR4_SMAP }, { FEAT_pku, CR4_PKE }, { FEAT_la57, CR4_LA57 }, { FEAT_shstk, CR4_CET }, { FEAT_ibt, CR4_CET },
		{ FEAT_vme, CR4_VME | CR4_PVI },
	};
	uint64_t mask = CR4_PCE;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (cpu_has(c, table[i].feature))
			mask |= table[i].bits;
	return mask;
}

uint64_t
cpuid_efer_mask(const struct cpu *c)
{
	return (cpu_has(c, FEAT_syscall) ? EFER_SCE : 0) | (cpu_has(c, FEAT_lm) ? EFER_LME | EFER_LMA : 0) |
		(cpu_has(c, FEAT_nx) ? EFER_NXE : 0);
}

/* ---- the leaves ---- */

static void
query_features(const struct cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
		if (c->model->has[i] && features[i].leaf == leaf && features[i].subleaf == subleaf)
			out[features[i].reg - 'A'] |= 1u << features[i].bit;
}

static void
query_1(const struct cpu *c, uint32_t out[4])
{
	out[0] = c->model->signature;
	out[1] |= (c->config.id & 0xff) << 24 | 1 << 16 | 8 << 8;
	if (c->cr4 & CR4_OSXSAVE)
		out[2] |= 1u << 27;
}

/* Deterministic cache parameters: type, level, bytes, ways, sets. */
static void
query_4(uint32_t subleaf, uint32_t out[4])
{
	static const struct { uint8_t type, level; uint16_t ways; uint32_t sets; } caches[] = {
		{ 1, 1, 8, 64 }, { 2, 1, 8, 64 }, { 3, 2, 16, 4096 },
	};

	if (subleaf >= ARRAY_SIZE(caches))
		return;
	out[0] = caches[subleaf].type | caches[subleaf].level << 5 | 1 << 8;
	out[1] = 63 | (caches[subleaf].ways - 1u) << 22;
	out[2] = caches[subleaf].sets - 1;
}

static void
query_7(const struct cpu *c, uint32_t subleaf, uint32_t out[4])
{
	if (subleaf == 0 && c->cr4 & CR4_PKE)
		out[2] |= 1u << 4; /* OSPKE */
	for (unsigned i = 0; subleaf == 0 && i < ARRAY_SIZE(features); i++)
		if (c->model->has[i] && features[i].leaf == 7 && features[i].subleaf > out[0])
			out[0] = features[i].subleaf; /* the last one */
}

/* Topology: one thread a core, up to 256 processors a package. */
static void
query_b(const struct cpu *c, uint32_t subleaf, uint32_t out[4])
{
	out[2] = subleaf & 0xff;
	out[3] = c->config.id;
	if (subleaf == 0)
		out[0] = 0, out[1] = 1, out[2] |= 1 << 8;
	else if (subleaf == 1)
		out[0] = 8, out[1] = 1, out[2] |= 2 << 8;
}

static void
query_d(const struct cpu *c, uint32_t subleaf, uint32_t out[4])
{
	uint64_t xcr0 = xsave_xcr0_mask(c), xss = xsave_xss_mask(c);

	if (!cpu_has(c, FEAT_xsave))
		return;
	if (subleaf == 0) {
		out[0] = (uint32_t)xcr0;
		out[1] = xsave_area_bytes(c->xcr0, false);
		out[2] = xsave_area_bytes(xcr0, false);
		out[3] = xcr0 >> 32;
	} else if (subleaf == 1) {
		if (cpu_has(c, FEAT_xsavec) || cpu_has(c, FEAT_xsaves))
			out[1] = xsave_area_bytes(c->xcr0 | c->xss, true);
		out[2] = (uint32_t)xss;
		out[3] = xss >> 32;
	} else {
		xsave_describe(c, subleaf, out);
	}
}

static void
query_extended(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
	bool amd = c->model->amd;

	switch (leaf) {
	case 0x80000000:
		out[0] = c->model->max_ext_leaf;
		if (amd)
			memcpy(&out[1], c->model->vendor, 4), memcpy(&out[3], c->model->vendor + 4, 4),
				memcpy(&out[2], c->model->vendor + 8, 4);
		break;
	case 0x80000001:
		if (amd) {
			uint32_t basic[4] = { 0 };

			out[0] = c->model->signature;
			query_features(c, 1, 0, basic);
			out[3] |= basic[3] & 0x0183f3ff;
		} else if (!in_mode64(c)) {
			out[3] &= ~(1u << 11); /* SYSCALL, which there is in 64-bit mode only */
		}
		break;
	case 0x80000002 ... 0x80000004:
		memcpy(out, c->model->brand + (leaf - 0x80000002) * 16, 16);
		break;
	case 0x80000005:
		if (amd)
			out[0] = out[1] = 0x01ff01ff, out[2] = out[3] = 0x40020140;
		break;
	case 0x80000006:
		out[2] = 0x02008140;
		if (amd)
			out[0] = 0, out[1] = 0x42004200;
		break;
	case 0x80000007:
		out[3] = 1 << 8; /* the TSC is invariant */
		break;
	case 0x80000008:
		out[0] = PHYS_BITS | (cpu_has(c, FEAT_la57) ? 57 : 48) << 8;
		break;
	}
}

void
cpuid_query(const struct cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct cpuid_model *m = c->model;
	uint64_t hz = cpu_tsc_hz(c);

	memset(out, 0, 4 * sizeof(*out));
	if (leaf >> 16 == 0x4000) {
		if (!cpu_has(c, FEAT_hypervisor))
			return;
		if (leaf == 0x40000000) {
			out[0] = 0x40000000;
			memcpy(&out[1], "CalqueCalque", 12);
		}
		return;
	}
	if (leaf >> 31 ? leaf > m->max_ext_leaf : leaf > m->max_leaf)
		return;
	query_features(c, leaf, leaf == 0xd || leaf == 7 ? subleaf : 0, out);
	if (leaf >> 31) {
		query_extended(c, leaf, out);
		return;
	}
	switch (leaf) {
	case 0:
		out[0] = m->max_leaf;
		memcpy(&out[1], m->vendor, 4);
		memcpy(&out[3], m->vendor + 4, 4);
		memcpy(&out[2], m->vendor + 8, 4);
		break;
	case 1:
		query_1(c, out);
		break;
	case 2:
		out[0] = 1, out[3] = 0x2c307d;
		break;
	case 4:
		query_4(subleaf, out);
		break;
	case 5:
		if (cpu_has(c, FEAT_monitor))
			out[0] = out[1] = 64, out[2] = 3;
		break;
	case 7:
		query_7(c, subleaf, out);
		break;
	case 0xb:
		query_b(c, subleaf, out);
		break;
	case 0xd:
		query_d(c, subleaf, out);
		break;
	case 0x15:
		out[0] = 1, out[1] = 1, out[2] = hz;
		break;
	case 0x16:
		out[0] = out[1] = hz / 1000000, out[2] = 100;
		break;
	}
}
