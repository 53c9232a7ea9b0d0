/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -cpu's models and features, and what CPUID says of them. */
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "cpu/cpuid.h"
#include "tcg/tcg.h"
#include "tests/check_main.h"

static const char *const models[] = {
#define MODEL(name, vendor, signature, max_leaf, brand, features) name,
#include "cpu/model.def"
#undef MODEL
};

static struct cpuid_model *
parse(const char *text, unsigned fast)
{
	struct err e = { 0 };
	struct cpuid_model *m = cpuid_parse(text, fast, &e);

	ck_assert_msg(m != NULL, "%s: %s", text, e.text);
	return m;
}

static bool
has(const char *text, unsigned fast, enum cpu_feature f)
{
	struct cpuid_model *m = parse(text, fast);
	bool yes = m->has[f];

	free(m);
	return yes;
}

/* A model that lacks something says so, and is refused by `enforce`; no other is. */
START_TEST(what_is_lacking)
{
	char enforce[80], lacking[400] = "";
	struct err e = { 0 };
	bool lacks = cpu_model_lacks(models[_i], lacking, sizeof(lacking));
	struct cpuid_model *m;

	free(parse(models[_i], 0));
	snprintf(enforce, sizeof(enforce), "%s,enforce", models[_i]);
	m = cpuid_parse(enforce, 0, &e);
	ck_assert_msg((m == NULL) == lacks, "%s lacks '%s', and %s", models[_i], lacking, e.text);
	free(m);
}
END_TEST

START_TEST(switched_off)
{
	char lacking[400] = "";
	struct err e = { 0 };

	ck_assert(cpu_model_lacks("EPYC-Turin", lacking, sizeof(lacking)));
	ck_assert_str_eq(lacking, "avx_vnni prefetchi");
	ck_assert(cpu_model_lacks("EPYC-Turin,-avx-vnni", lacking, sizeof(lacking)));
	ck_assert_str_eq(lacking, "prefetchi");
	ck_assert(!cpu_model_lacks("EPYC-Turin,avx-vnni=off,prefetchi=off", lacking, sizeof(lacking)));
	ck_assert(!cpu_model_lacks(NULL, lacking, sizeof(lacking)) && !cpu_model_lacks("max,+la57", lacking, sizeof(lacking)));
	free(parse("SapphireRapids,-amx-tile,amx-int8=off", 0));
	ck_assert(cpuid_parse("SapphireRapids,+amx-tile", 0, &e) == NULL);
	ck_assert_str_eq(e.text, "-cpu: feature 'amx-tile' is not implemented");
	ck_assert(cpuid_parse("SapphireRapids,+amx-tale", 0, &e) == NULL);
	ck_assert_str_eq(e.text, "-cpu: there is no feature 'amx-tale'");
}
END_TEST

/* QEMU's, Linux's and the manuals' way to write them. */
START_TEST(spellings)
{
	static const struct { const char *name; enum cpu_feature feature; } table[] = {
		{ "avx512-fp16", FEAT_avx512_fp16 }, { "avx512_fp16", FEAT_avx512_fp16 }, { "avx512-vp2intersect", FEAT_avx512_vp2intersect },
		{ "avx512vbmi2", FEAT_avx512_vbmi2 }, { "avx512bitalg", FEAT_avx512_bitalg }, { "avx512-vpopcntdq", FEAT_avx512_vpopcntdq },
		{ "sse4.1", FEAT_sse4_1 }, { "sse4-2", FEAT_sse4_2 }, { "sse42", FEAT_sse4_2 }, { "pni", FEAT_sse3 }, { "lahf-lm", FEAT_lahf_lm },
		{ "tsc-deadline", FEAT_tsc_deadline }, { "cr8legacy", FEAT_cr8_legacy }, { "xd", FEAT_nx },
	};

	for (unsigned n = 0; n < ARRAY_SIZE(table); n++) {
		char text[80];

		snprintf(text, sizeof(text), "SapphireRapids,-%s", table[n].name);
		ck_assert_msg(!has(text, 0, table[n].feature), "%s", text);
		snprintf(text, sizeof(text), "EPYC-Turin,+%s", table[n].name);
		ck_assert_msg(has(text, 0, table[n].feature), "%s", text);
	}
}
END_TEST

/* `max` has what runs at full speed, a model what its processor has. */
START_TEST(by_speed)
{
	ck_assert(!has("max", 0, FEAT_avx512f) && !has("max", 0, FEAT_avx512_fp16));
	ck_assert(has("max", TCG_AVX512, FEAT_avx512_bf16) && !has("max", TCG_AVX512, FEAT_avx512_fp16));
	ck_assert(has("max", TCG_AVX512 | TCG_FP16, FEAT_avx512_fp16) && !has("max", TCG_AVX512 | TCG_FP16, FEAT_avx512_vp2intersect));
	ck_assert(has("max", TCG_AVX512 | TCG_VP2INTERSECT, FEAT_avx512_vp2intersect));
	ck_assert(has("SapphireRapids", 0, FEAT_avx512_fp16) && !has("SapphireRapids", 0, FEAT_avx512_vp2intersect));
	ck_assert(has("EPYC-Turin", 0, FEAT_avx512_vp2intersect) && !has("EPYC-Turin", 0, FEAT_avx512_fp16));
	ck_assert(!has("Icelake-Server,+avx512-fp16,-avx512bw", 0, FEAT_avx512_fp16));
}
END_TEST

/* The manual's bits. */
START_TEST(bits_of_cpuid)
{
	static const struct { const char *model; uint32_t leaf, subleaf; uint8_t reg, bit; bool set; } table[] = {
		{ "SapphireRapids", 7, 0, 3, 23, true }, { "SapphireRapids", 7, 0, 3, 8, false }, { "EPYC-Turin", 7, 0, 3, 8, true },
		{ "EPYC-Turin", 7, 0, 3, 23, false }, { "EPYC-Genoa", 7, 0, 3, 8, false }, { "SapphireRapids", 7, 1, 0, 5, true },
		{ "SapphireRapids", 7, 1, 0, 11, true }, { "SapphireRapids", 7, 0, 0, 0, true }, { "EPYC-Rome", 0x80000008, 0, 1, 9, true },
		{ "SapphireRapids", 7, 0, 3, 24, false } /* AMX */,
		/* XSS has both components of CET with either half of it. */
		{ "max,-shstk,-ibt", 0xd, 1, 2, 11, false }, { "max,-shstk,-ibt", 0xd, 11, 0, 4, false },
		{ "max,-shstk,+ibt", 0xd, 1, 2, 11, true }, { "max,-shstk,+ibt", 0xd, 1, 2, 12, true }, { "max,-shstk,+ibt", 0xd, 11, 0, 4, true },
		{ "max,+shstk,-ibt", 0xd, 1, 2, 11, true }, { "max,+shstk,-ibt", 0xd, 12, 0, 3, true },
		{ "Opteron_G5", 0xd, 0, 0, 2, true }, { "Opteron_G5", 0xd, 0, 0, 5, false }, { "Opteron_G5", 0xd, 2, 0, 8, true },
	};

	for (unsigned n = 0; n < ARRAY_SIZE(table); n++) {
		struct cpu *c = aligned_alloc(64, (sizeof *c + 63) & ~(size_t)63);
		uint32_t out[4];

		memset(c, 0, sizeof *c);
		c->model = parse(table[n].model, 0);
		cpuid_query(c, table[n].leaf, table[n].subleaf, out);
		ck_assert_msg((out[table[n].reg] >> table[n].bit & 1) == table[n].set, "%s, row %u", table[n].model, n);
		free(c->model);
		free(c);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cpu_model");
	TCase *t = tcase_create("models");

	tcase_add_loop_test(t, what_is_lacking, 0, ARRAY_SIZE(models));
	tcase_add_test(t, switched_off);
	tcase_add_test(t, spellings);
	tcase_add_test(t, by_speed);
	tcase_add_test(t, bits_of_cpuid);
	suite_add_tcase(s, t);
	return run_suite(s);
}
