/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Codecs on the HDA link: hda-output (line out), hda-duplex (line out and line in), hda-micro (loudspeaker and microphone), by
 * the High Definition Audio Specification, revision 1.0a, chapter 7.
 *
 * One audio function group with a converter and a pin for each direction.  Converters take 16, 20, 24 and 32 bits at 8 to
 * 96 kHz; their amplifiers, if there are any, have steps of 1 dB.  Nothing can be plugged in or out, so there is no detection.
 */
#include "hw/hda.h"

#include "base/err.h"
#include "base/util.h"
#include "hw/hw.h"
#include "ui/sound.h"

#include <math.h>
#include <stdio.h>

/* Nodes of the tree. */
enum { ROOT, GROUP, DAC, PIN_OUT, ADC, PIN_IN, NODES };

enum {
	/* Verbs with 8 bits of data, by their upper 12 bits; the last two have 16 bits of data. */
	GET_PARAMETER = 0xf00, GET_CONNECTION_ENTRY = 0xf02,
	GET_POWER = 0xf05, SET_POWER = 0x705, GET_STREAM = 0xf06, SET_STREAM = 0x706,
	GET_PIN = 0xf07, SET_PIN = 0x707, GET_UNSOLICITED = 0xf08, SET_UNSOLICITED = 0x708,
	GET_CONFIG = 0xf1c, SET_CONFIG = 0x71c, GET_SUBSYSTEM = 0xf20, SET_SUBSYSTEM = 0x720,
	FUNCTION_RESET = 0x7ff,
	GET_FORMAT = 0xa, SET_FORMAT = 0x2, GET_AMP = 0xb, SET_AMP = 0x3,

	PARAM_VENDOR = 0x00, PARAM_REVISION = 0x02, PARAM_NODES = 0x04, PARAM_GROUP_TYPE = 0x05, PARAM_GROUP_CAPS = 0x08,
	PARAM_WIDGET_CAPS = 0x09, PARAM_PCM = 0x0a, PARAM_STREAM = 0x0b, PARAM_PIN_CAPS = 0x0c, PARAM_AMP_IN = 0x0d,
	PARAM_CONNECTIONS = 0x0e, PARAM_POWER_STATES = 0x0f, PARAM_AMP_OUT = 0x12,

	WIDGET_STEREO = 0x001, WIDGET_AMP_IN = 0x002, WIDGET_AMP_OUT = 0x004, WIDGET_AMP_OWN = 0x008, WIDGET_FORMAT_OWN = 0x010,
	WIDGET_LIST = 0x100, WIDGET_POWER = 0x400, WIDGET_ADC = 0x100000, WIDGET_PIN = 0x400000,
	PIN_CAP_OUT = 0x10, PIN_CAP_IN = 0x20, PIN_IN_ENABLE = 0x20, PIN_OUT_ENABLE = 0x40,

	AMP_STEPS = 74,
	AMP_MUTE = 0x80,
	PCM_FORMATS = 0x1e01ff, /* 16, 20, 24, 32 bits; 8 to 96 kHz */
	POWER_D0_TO_D3 = 0x0f, POWER_D3 = 3,
	CHUNK_FRAMES = 256,
};

/* Amplifier: 0 dB at the last step, 1 dB each, mute. */
#define AMP_CAPS (0x80000000u | 3 << 16 | AMP_STEPS << 8 | AMP_STEPS)
#define VENDOR 0x1af4u

struct hda_audio {
	struct hda_codec codec;
	enum hda_codec_model model;
	bool mixer;
	struct voice *out, *in;
	struct {
		uint32_t subsystem, power[NODES];
		uint32_t format[NODES], stream[NODES];  /* of converters: stream tag << 4 | channel */
		uint32_t amp[NODES][2];
		uint32_t pin[NODES], config[NODES], unsolicited[NODES];
	} state;
};

static const struct {
	uint8_t id, nodes;      /* NODES: how many the tree has */
	uint32_t out_config, in_config;
} models[] = {
	/* Jacks at the rear, green and blue; or built in. */
	[HDA_OUTPUT] = { 0x10, ADC, 0x01014110, 0 },
	[HDA_DUPLEX] = { 0x20, NODES, 0x01014110, 0x01813120 },
	[HDA_MICRO] = { 0x30, NODES, 0x90170110, 0x90a70120 },
};

static struct hda_audio *
audio(struct hda_codec *c)
{
	return CONTAINER_OF(c, struct hda_audio, codec);
}

static bool
has_amp(const struct hda_audio *a, unsigned nid)
{
	return a->mixer && (nid == DAC || nid == ADC);
}

/* ---- voices ---- */

/* MUTE and decibels; a converter that is asleep is silent. */
static float
gain_of(const struct hda_audio *a, unsigned nid, unsigned side)
{
	uint32_t amp = a->state.amp[nid][side];
	unsigned pin = nid == DAC ? PIN_OUT : PIN_IN;

	if (a->state.power[GROUP] == POWER_D3 || a->state.power[nid] == POWER_D3 ||
	    !(a->state.pin[pin] & (nid == DAC ? PIN_OUT_ENABLE : PIN_IN_ENABLE)))
		return 0;
	if (!has_amp(a, nid) || amp == AMP_STEPS)
		return 1;
	return amp & AMP_MUTE ? 0 : (float)pow(10, ((int)amp - AMP_STEPS) / 20.0);
}

static void
set_voice(struct hda_audio *a, struct voice *v, unsigned nid)
{
	unsigned tag = a->state.stream[nid] >> 4;
	struct hda_format f;

	if (v == NULL)
		return;
	bool runs = tag != 0 && a->codec.link != NULL && hda_stream_runs(a->codec.link, nid == DAC, tag, &f);
	if (runs) {
		struct sound_format own = { f.rate, 2, SAMPLE_S32 };

		voice_set_format(v, &own);
	}
	voice_set_gain(v, gain_of(a, nid, 0), gain_of(a, nid, 1));
	voice_set_active(v, runs);
}

static void
set_voices(struct hda_audio *a)
{
	set_voice(a, a->out, DAC);
	set_voice(a, a->in, ADC);
}

static void
streams_changed(struct hda_codec *c)
{
	set_voices(audio(c));
}

static void
mix_wants(void *opaque)
{
	struct hda_audio *a = opaque;

	if (a->codec.link != NULL)
		hda_catch_up(a->codec.link);
}

/* A sample in memory stands in the upper bits of its 8, 16 or 32. */
static int32_t
load_sample(const struct hda_format *f, const uint8_t *frame, unsigned channel)
{
	uint32_t raw = (uint32_t)load_le(frame + channel * f->bytes, f->bytes);

	return (int32_t)(raw << (32 - 8 * f->bytes));
}

/* Which channels of a frame the converter's two are; the last one again where there are no more. */
static void
find_channels(const struct hda_audio *a, unsigned nid, const struct hda_format *f, unsigned channel[2])
{
	unsigned first = a->state.stream[nid] & 15;

	channel[0] = MIN(first, f->channels - 1);
	channel[1] = MIN(first + 1, f->channels - 1);
}

static void
play(struct hda_codec *c, unsigned tag, const struct hda_format *f, const uint8_t *frames, unsigned count)
{
	struct hda_audio *a = audio(c);
	int32_t chunk[2 * CHUNK_FRAMES];
	unsigned channel[2];

	if (tag == 0 || a->state.stream[DAC] >> 4 != tag)
		return;
	find_channels(a, DAC, f, channel);
	while (count > 0) {
		unsigned n = MIN(count, (unsigned)CHUNK_FRAMES);

		for (unsigned i = 0; i < n; i++, frames += f->channels * f->bytes) {
			chunk[2 * i] = load_sample(f, frames, channel[0]);
			chunk[2 * i + 1] = load_sample(f, frames, channel[1]);
		}
		voice_write(a->out, chunk, n);
		count -= n;
	}
}

static void
record(struct hda_codec *c, unsigned tag, const struct hda_format *f, uint8_t *frames, unsigned count)
{
	struct hda_audio *a = audio(c);
	int32_t chunk[2 * CHUNK_FRAMES];
	unsigned channel[2];

	if (tag == 0 || a->in == NULL || a->state.stream[ADC] >> 4 != tag)
		return;
	find_channels(a, ADC, f, channel);
	while (count > 0) {
		unsigned n = MIN(count, (unsigned)CHUNK_FRAMES);

		voice_read(a->in, chunk, n);
		for (unsigned i = 0; i < n; i++, frames += f->channels * f->bytes) {
			for (unsigned side = 0; side < 2; side++)
				store_le(frames + channel[side] * f->bytes, (uint32_t)chunk[2 * i + side] >> (32 - 8 * f->bytes),
					f->bytes);
		}
		count -= n;
	}
}

/* ---- verbs ---- */

static uint32_t
widget_caps(const struct hda_audio *a, unsigned nid)
{
	uint32_t amp_out = a->mixer ? WIDGET_AMP_OWN | WIDGET_AMP_OUT : 0;
	uint32_t amp_in = a->mixer ? WIDGET_AMP_OWN | WIDGET_AMP_IN : 0;

	switch (nid) {
	case DAC: return WIDGET_STEREO | WIDGET_FORMAT_OWN | WIDGET_POWER | amp_out;
	case ADC: return WIDGET_ADC | WIDGET_STEREO | WIDGET_FORMAT_OWN | WIDGET_POWER | WIDGET_LIST | amp_in;
	case PIN_OUT: return WIDGET_PIN | WIDGET_STEREO | WIDGET_LIST;
	case PIN_IN: return WIDGET_PIN | WIDGET_STEREO;
	default: return 0;
	}
}

static uint32_t
get_parameter(const struct hda_audio *a, unsigned nid, unsigned param)
{
	bool converter = nid == DAC || nid == ADC;

	switch (param) {
	case PARAM_VENDOR: return nid == ROOT ? VENDOR << 16 | models[a->model].id | (a->mixer ? 2 : 1) : 0;
	case PARAM_REVISION: return nid == ROOT ? 0x00100101 : 0;
	case PARAM_NODES:
		return nid == ROOT ? GROUP << 16 | 1 : nid == GROUP ? DAC << 16 | (models[a->model].nodes - DAC) : 0;
	case PARAM_GROUP_TYPE: return nid == GROUP ? 0x01 : 0;
	case PARAM_GROUP_CAPS: return nid == GROUP ? 0x0808 : 0; /* eight samples of delay each way */
	case PARAM_WIDGET_CAPS: return widget_caps(a, nid);
	case PARAM_PCM: return converter || nid == GROUP ? PCM_FORMATS : 0;
	case PARAM_STREAM: return converter || nid == GROUP ? 1 : 0;
	case PARAM_PIN_CAPS: return nid == PIN_OUT ? PIN_CAP_OUT : nid == PIN_IN ? PIN_CAP_IN : 0;
	case PARAM_AMP_IN: return has_amp(a, nid) && nid == ADC ? AMP_CAPS : 0;
	case PARAM_AMP_OUT: return has_amp(a, nid) && nid == DAC ? AMP_CAPS : 0;
	case PARAM_CONNECTIONS: return nid == PIN_OUT || nid == ADC;
	case PARAM_POWER_STATES: return converter || nid == GROUP ? POWER_D0_TO_D3 : 0;
	default: return 0;
	}
}

static uint32_t
amp_value(uint32_t data)
{
	return MIN(data & 0x7f, (uint32_t)AMP_STEPS) | (data & AMP_MUTE);
}

/* Which sides a command means: bit 13 left, bit 12 right; which amplifier: bit 15 output, bit 14 input. */
static void
set_amp(struct hda_audio *a, unsigned nid, uint32_t data)
{
	uint32_t value = amp_value(data);

	if (!has_amp(a, nid) || !(data & (nid == DAC ? 0x8000 : 0x4000)))
		return;
	if (data & 0x2000)
		a->state.amp[nid][0] = value;
	if (data & 0x1000)
		a->state.amp[nid][1] = value;
	set_voices(a);
}

static uint32_t
get_amp(const struct hda_audio *a, unsigned nid, uint32_t data)
{
	if (!has_amp(a, nid) || !(data & 0x8000) != (nid == ADC))
		return 0;
	return a->state.amp[nid][data & 0x2000 ? 0 : 1];
}

static void
codec_reset(struct hda_audio *a)
{
	memset(&a->state, 0, sizeof(a->state));
	a->state.subsystem = VENDOR << 16 | models[a->model].id;
	for (unsigned nid = 0; nid < NODES; nid++) {
		a->state.power[nid] = 0;
		a->state.amp[nid][0] = a->state.amp[nid][1] = AMP_STEPS;
	}
	a->state.format[DAC] = a->state.format[ADC] = 0x0011; /* 48 kHz, 16 bits, stereo */
	a->state.pin[PIN_OUT] = PIN_OUT_ENABLE;
	a->state.pin[PIN_IN] = PIN_IN_ENABLE;
	a->state.config[PIN_OUT] = models[a->model].out_config;
	a->state.config[PIN_IN] = models[a->model].in_config;
	set_voices(a);
}

static bool
is_pin(unsigned nid)
{
	return nid == PIN_OUT || nid == PIN_IN;
}

static bool
is_converter(unsigned nid)
{
	return nid == DAC || nid == ADC;
}

static uint32_t
get(const struct hda_audio *a, unsigned nid, unsigned verb, uint8_t data)
{
	switch (verb) {
	case GET_PARAMETER: return get_parameter(a, nid, data);
	case GET_CONNECTION_ENTRY: return data != 0 ? 0 : nid == PIN_OUT ? DAC : nid == ADC ? PIN_IN : 0;
	case GET_POWER: return a->state.power[nid] << 4 | a->state.power[nid];
	case GET_STREAM: return a->state.stream[nid];
	case GET_PIN: return a->state.pin[nid];
	case GET_UNSOLICITED: return a->state.unsolicited[nid];
	case GET_CONFIG: return a->state.config[nid];
	case GET_SUBSYSTEM: return nid == GROUP ? a->state.subsystem : 0;
	default: return 0;
	}
}

static void
set_byte(uint32_t *word, unsigned n, uint8_t data)
{
	*word = (*word & ~(0xffu << 8 * n)) | (uint32_t)data << 8 * n;
}

static void
set(struct hda_audio *a, unsigned nid, unsigned verb, uint8_t data)
{
	if (verb == SET_POWER && (nid == GROUP || is_converter(nid)))
		a->state.power[nid] = data & 3;
	else if (verb == SET_STREAM && is_converter(nid))
		a->state.stream[nid] = data;
	else if (verb == SET_PIN && is_pin(nid))
		a->state.pin[nid] = data & (nid == PIN_OUT ? PIN_OUT_ENABLE : PIN_IN_ENABLE);
	else if (verb == SET_UNSOLICITED && is_pin(nid))
		a->state.unsolicited[nid] = data & 0xbf;
	else if (verb >= SET_CONFIG && verb < SET_CONFIG + 4 && is_pin(nid))
		set_byte(&a->state.config[nid], verb - SET_CONFIG, data);
	else if (verb >= SET_SUBSYSTEM && verb < SET_SUBSYSTEM + 4 && nid == GROUP)
		set_byte(&a->state.subsystem, verb - SET_SUBSYSTEM, data);
	else if (verb == FUNCTION_RESET && nid == GROUP)
		codec_reset(a);
	set_voices(a);
}

static uint32_t
run_verb(struct hda_codec *c, unsigned nid, uint32_t word)
{
	struct hda_audio *a = audio(c);
	unsigned verb = word >> 8, data = word & 0xffff;

	if (nid >= models[a->model].nodes)
		return 0;
	switch (word >> 16) {
	case GET_FORMAT:
		return a->state.format[nid];
	case GET_AMP:
		return get_amp(a, nid, data);
	case SET_FORMAT:
		if (is_converter(nid))
			a->state.format[nid] = data & 0xff7f;
		return 0;
	case SET_AMP:
		set_amp(a, nid, data);
		return 0;
	case 0xf:
		return get(a, nid, verb, (uint8_t)word);
	case 0x7:
		set(a, nid, verb, (uint8_t)word);
		return 0;
	default:
		guest_bug(&c->dev, "node %u has no verb %05x", nid, word);
		return 0;
	}
}

static void
link_reset(struct hda_codec *c)
{
	codec_reset(audio(c));
}

/* ---- class ---- */

static void
codec_dev_reset(struct dev *d)
{
	codec_reset(CONTAINER_OF(d, struct hda_audio, codec.dev));
}

static bool
codec_loaded(struct dev *d, struct err *e)
{
	struct hda_audio *a = CONTAINER_OF(d, struct hda_audio, codec.dev);

	(void)e;
	for (unsigned nid = 0; nid < NODES; nid++) {
		for (unsigned side = 0; side < 2; side++)
			a->state.amp[nid][side] = amp_value(a->state.amp[nid][side]);
	}
	set_voices(a);
	return true;
}

static void
codec_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	const struct hda_audio *a = CONTAINER_OF(d, struct hda_audio, codec.dev);
	char text[128];

	snprintf(text, sizeof(text), "address %u; output: stream %u, volume %.2f; input: stream %u, volume %.2f\n",
		a->codec.address, a->state.stream[DAC] >> 4, gain_of(a, DAC, 0), a->state.stream[ADC] >> 4, gain_of(a, ADC, 0));
	print(opaque, text);
}

static void
codec_destroy(struct dev *d)
{
	struct hda_audio *a = CONTAINER_OF(d, struct hda_audio, codec.dev);

	hda_codec_detach(&a->codec);
	voice_free(a->out);
	voice_free(a->in);
}

#define NODE_FIELDS(nid) \
	FIELD_MAX(struct hda_audio, state.power[nid], 3), \
	FIELD_MAX(struct hda_audio, state.format[nid], 0xffff), \
	FIELD_MAX(struct hda_audio, state.stream[nid], 0xff), \
	FIELD_MAX(struct hda_audio, state.amp[nid][0], 0xff), \
	FIELD_MAX(struct hda_audio, state.amp[nid][1], 0xff), \
	FIELD_MAX(struct hda_audio, state.pin[nid], 0xff), \
	FIELD_OF(struct hda_audio, state.config[nid]), \
	FIELD_MAX(struct hda_audio, state.unsolicited[nid], 0xff)

static const struct field fields[] = {
	FIELD_OF(struct hda_audio, state.subsystem),
	NODE_FIELDS(ROOT), NODE_FIELDS(GROUP), NODE_FIELDS(DAC), NODE_FIELDS(PIN_OUT), NODE_FIELDS(ADC), NODE_FIELDS(PIN_IN),
	FIELD_END
};

#define CODEC_CLASS(model, text) { \
	.name = model, \
	.size = sizeof(struct hda_audio), \
	.state_offset = offsetof(struct hda_audio, state), \
	.state_size = sizeof(((struct hda_audio *)0)->state), \
	.description = text, \
	.fields = fields, \
	.reset = codec_dev_reset, \
	.loaded = codec_loaded, \
	.info = codec_info, \
	.destroy = codec_destroy, \
}

static const struct dev_class classes[] = {
	[HDA_OUTPUT] = CODEC_CLASS("hda-output", "HDA codec, output only"),
	[HDA_DUPLEX] = CODEC_CLASS("hda-duplex", "HDA codec, output and input"),
	[HDA_MICRO] = CODEC_CLASS("hda-micro", "HDA codec, loudspeaker and microphone"),
};

struct dev *
hda_codec_new(const struct dev_env *env, struct dev *hda, const char *id, enum hda_codec_model model, unsigned address,
	bool mixer, struct sound *sound)
{
	static const struct hda_codec_ops ops = { run_verb, link_reset, streams_changed, play, record };
	static const struct voice_ops voice_ops = { mix_wants };
	struct hda_audio *a = CONTAINER_OF(dev_new(env, &classes[model], id), struct hda_audio, codec.dev);

	a->codec.ops = &ops;
	a->model = model;
	a->mixer = mixer;
	a->out = voice_new(sound, "hda out", false, &voice_ops, a);
	if (models[model].nodes > ADC)
		a->in = voice_new(sound, "hda in", true, &voice_ops, a);
	hda_codec_attach(CONTAINER_OF(hda, struct hda, pci.dev), &a->codec, address);
	codec_reset(a);
	return &a->codec.dev;
}
