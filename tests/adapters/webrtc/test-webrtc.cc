/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The adapter for libwebrtc, with a real daemon: frames go through it as libwebrtc would have them go. What stands in
 * for libwebrtc are the interfaces alone, below api/.
 */
#include <framekey-bus.h>
#include <framekey_webrtc.h>

#include <api/make_ref_counted.h>
#include <api/rtp_transceiver_interface.h>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>

#define CLAIM(condition)                                                                                               \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                          \
                        exit(1);                                                                                       \
                }                                                                                                      \
        } while (0)

using Bytes = std::vector<uint8_t>;
using STUB_BASE::make_ref_counted;
using STUB_BASE::scoped_refptr;
template <typename T> using View = STUB_BASE::ArrayView<T>;

struct GrantedStreams {
        uint32_t sending;
        uint32_t receiving;
};
bool EncryptCall(const int channel_fds[4], webrtc::RtpTransceiverInterface &transceiver, const GrantedStreams &streams);

/* ---- what libwebrtc would bring ---- */

template <typename Base> class Frame : public Base {
      public:
        Frame(std::string mime_type, Bytes data, uint32_t ssrc) : mime_type_(mime_type), data_(data), ssrc_(ssrc) {
        }
        View<const uint8_t> GetData() const override {
                return View<const uint8_t>(data_.data(), data_.size());
        }
        void SetData(View<const uint8_t> data) override {
                data_.assign(data.data(), data.data() + data.size());
        }
        uint32_t GetSsrc() const override {
                return ssrc_;
        }
        uint32_t GetTimestamp() const override {
                return 90000;
        }
        std::string GetMimeType() const override {
                return mime_type_;
        }

      private:
        std::string mime_type_;
        Bytes data_;
        uint32_t ssrc_;
};

class VideoFrame : public Frame<webrtc::TransformableVideoFrameInterface> {
      public:
        VideoFrame(std::string mime_type, Bytes data, uint32_t ssrc, bool key)
            : Frame(mime_type, data, ssrc), key_(key) {
        }
        bool IsKeyFrame() const override {
                return key_;
        }

      private:
        bool key_;
};
using AudioFrame = Frame<webrtc::TransformableFrameInterface>;

class Sink : public webrtc::TransformedFrameCallback {
      public:
        void OnTransformedFrame(std::unique_ptr<webrtc::TransformableFrameInterface> frame) override {
                std::lock_guard<std::mutex> lock(mutex_);
                const auto data = frame->GetData();
                frames_.emplace_back(data.data(), data.data() + data.size());
                changed_.notify_all();
        }
        std::vector<Bytes> Wait(size_t n, int msec = 20000) {
                std::unique_lock<std::mutex> lock(mutex_);
                (void)changed_.wait_for(lock, std::chrono::milliseconds(msec), [&] { return frames_.size() >= n; });
                return frames_;
        }

      private:
        std::mutex mutex_;
        std::condition_variable changed_;
        std::vector<Bytes> frames_;
};

/* ---- the daemon ---- */

class Side {
      public:
        Side(const char *profile, framekey_role role, const char *cipher_suite = nullptr) {
                const char *const options[] = { cipher_suite, nullptr };
                char *error = nullptr;

                CLAIM(framekey_client_open(&client_, FRAMEKEY_BUS_SYSTEM, nullptr, &error) == 0);
                CLAIM(framekey_session_open(client_, profile, "webrtc", options, &session_) == 0);
                CLAIM(framekey_session_add_participant(session_, "alice", role, nullptr) == 0);
                direction_ = role == FRAMEKEY_LOCAL ? FRAMEKEY_ENCRYPT : FRAMEKEY_DECRYPT;
        }
        ~Side() {
                free(path_);
                (void)framekey_session_close(session_);
                (void)framekey_client_free(client_);
        }
        void Key(const char *identity, const char *secret, const char *option = nullptr) {
                const char *const options[] = { option, nullptr };

                CLAIM(framekey_session_import_key(session_, identity, 0, secret, strlen(secret), options) == 0);
        }
        std::array<int, 4> Fds() {
                std::array<int, 4> fds;

                free(path_);
                path_ = nullptr;
                CLAIM(framekey_session_open_channel_fds(session_, nullptr, fds.data(), &path_) == 0);
                return fds;
        }
        std::shared_ptr<framekey::Channel> Channel() {
                const std::array<int, 4> fds = Fds();
                auto channel = framekey::Channel::FromFds(fds.data(), fds.size());

                CLAIM(channel);
                for (const int fd : fds)
                        (void)close(fd);
                return channel;
        }
        uint32_t Stream(framekey_media media, framekey_codec codec) {
                return Stream(media, codec, direction_);
        }
        uint32_t Stream(framekey_media media, framekey_codec codec, framekey_direction direction) {
                uint32_t stream;

                CLAIM(framekey_session_add_stream(session_, path_, "alice", direction, media, codec, nullptr,
                                                  &stream) == 0);
                return stream;
        }
        void CloseChannel() {
                CLAIM(framekey_session_close_channel(session_, path_) == 0);
        }

      private:
        framekey_client *client_ = nullptr;
        framekey_session *session_ = nullptr;
        framekey_direction direction_;
        char *path_ = nullptr;
};

static const char passphrase[] = "correct horse battery staple";

/* Sends as alice, and hears her. */
struct Call {
        Side sender{ "livekit-passphrase", FRAMEKEY_LOCAL };
        Side receiver{ "livekit-passphrase", FRAMEKEY_REMOTE };

        void Keys() {
                sender.Key("", passphrase);
                receiver.Key("", passphrase);
        }
};

static Bytes Opus(uint8_t number) {
        Bytes frame(60, number);
        frame[0] = 0xf8;
        return frame;
}

/* A tag of ten bytes, as the header of a key frame; deltas look alike to the length of three. */
static Bytes Vp8(uint8_t number, bool key) {
        Bytes frame = { static_cast<uint8_t>(key ? 0x10 : 0x11), 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0 };
        frame.resize(400, number);
        return frame;
}

static std::unique_ptr<VideoFrame> Video(const char *mime_type, const Bytes &data, bool key) {
        return std::make_unique<VideoFrame>(mime_type, data, 7, key);
}

/* ---- claims ---- */

static void frames_arrive_in_order_and_as_they_were() {
        Call call;
        call.Keys();
        auto out = call.sender.Channel(), in = call.receiver.Channel();
        auto sealer = make_ref_counted<framekey::FrameTransformer>(
                out, call.sender.Stream(FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8));
        auto opener = make_ref_counted<framekey::FrameTransformer>(
                in, call.receiver.Stream(FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8));
        auto wire = make_ref_counted<Sink>(), screen = make_ref_counted<Sink>(), other = make_ref_counted<Sink>();

        sealer->RegisterTransformedFrameSinkCallback(wire, 7);
        sealer->RegisterTransformedFrameSinkCallback(other, 8);
        opener->RegisterTransformedFrameCallback(screen);
        for (uint8_t i = 0; i < 50; i++) {
                sealer->Transform(Video("video/VP8", Vp8(i, i == 0), i == 0));
                CLAIM(wire->Wait(i + 1u).size() == i + 1u);
        }
        const std::vector<Bytes> sealed = wire->Wait(50);
        for (uint8_t i = 0; i < 50; i++) {
                const Bytes plain = Vp8(i, i == 0);
                const size_t clear = i == 0 ? 10 : 3;
                /* The frame's type has decided how much stays clear. */
                CLAIM(std::equal(plain.begin(), plain.begin() + (long)clear, sealed[i].begin()));
                CLAIM(!std::equal(plain.begin() + 3, plain.begin() + 10, sealed[i].begin() + 3) == (i != 0));
                opener->Transform(Video("video/VP8", sealed[i], i == 0));
                CLAIM(screen->Wait(i + 1u).size() == i + 1u);
                CLAIM(screen->Wait(i + 1u)[i] == plain);
        }
        CLAIM(other->Wait(1, 0).empty());
}

/* As many as the channel has slots, without waiting for one of them. */
static void frames_that_are_under_way_together_keep_their_order() {
        Call call;
        call.Keys();
        auto out = call.sender.Channel(), in = call.receiver.Channel();
        auto sealer = make_ref_counted<framekey::FrameTransformer>(
                out, call.sender.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS));
        auto opener = make_ref_counted<framekey::FrameTransformer>(
                in, call.receiver.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS));
        auto wire = make_ref_counted<Sink>(), ear = make_ref_counted<Sink>();

        sealer->RegisterTransformedFrameCallback(wire);
        opener->RegisterTransformedFrameCallback(ear);
        for (uint8_t i = 0; i < 8; i++)
                sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(i), 7));
        const std::vector<Bytes> sealed = wire->Wait(8);
        CLAIM(sealed.size() == 8);
        for (const Bytes &frame : sealed)
                opener->Transform(std::make_unique<AudioFrame>("audio/OPUS", frame, 7));
        const std::vector<Bytes> heard = ear->Wait(8);
        for (uint8_t i = 0; i < 8; i++)
                CLAIM(heard.at(i) == Opus(i));
}

static void h264_takes_its_last_step() {
        Call call;
        call.Keys();
        auto out = call.sender.Channel(), in = call.receiver.Channel();
        auto sealer = make_ref_counted<framekey::FrameTransformer>(
                out, call.sender.Stream(FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8));
        auto opener = make_ref_counted<framekey::FrameTransformer>(
                in, call.receiver.Stream(FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8));
        auto wire = make_ref_counted<Sink>(), screen = make_ref_counted<Sink>();
        Bytes frame = { 0, 0, 0, 1, 0x67, 0x42, 0, 0x1f, 0, 0, 0, 1, 0x65, 0x88 };

        frame.resize(5000, 0);
        frame.push_back(0x80);
        sealer->RegisterTransformedFrameCallback(wire);
        opener->RegisterTransformedFrameCallback(screen);
        sealer->Transform(Video("video/H264", frame, true));
        CLAIM(wire->Wait(1).size() == 1);
        opener->Transform(Video("video/H264", wire->Wait(1)[0], true));
        CLAIM(screen->Wait(1).size() == 1 && screen->Wait(1)[0] == frame);
}

static void nothing_goes_out_without_a_key_and_the_app_is_told_once() {
        Call call;
        auto out = call.sender.Channel();
        std::mutex mutex;
        std::vector<framekey::Outcome> told;
        auto sealer = make_ref_counted<framekey::FrameTransformer>(
                out, call.sender.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS), [&](const framekey::Outcome &what) {
                        std::lock_guard<std::mutex> lock(mutex);
                        told.push_back(what);
                });
        auto wire = make_ref_counted<Sink>();

        sealer->RegisterTransformedFrameCallback(wire);
        for (uint8_t i = 0; i < 5; i++)
                sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(i), 7));
        CLAIM(wire->Wait(1, 300).empty());
        call.Keys();
        sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(9), 7));
        CLAIM(wire->Wait(1).size() == 1);
        sealer->UnregisterTransformedFrameCallback();
        sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(10), 7));
        CLAIM(wire->Wait(2, 100).size() == 1);
        std::lock_guard<std::mutex> lock(mutex);
        CLAIM(told.size() == 2);
        CLAIM(told[0].verdict == FRAMEKEY_VERDICT_UNKNOWN_KEY && strlen(told[0].text()) > 10);
        CLAIM(told[1].verdict == FRAMEKEY_OK);
}

static void a_call_goes_on_with_another_channel() {
        Call call;
        call.Keys();
        std::atomic<int> last{ 0 };
        auto out = call.sender.Channel();
        auto sealer = make_ref_counted<framekey::FrameTransformer>(
                out, call.sender.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS),
                [&](const framekey::Outcome &what) { last = what.verdict; });
        auto wire = make_ref_counted<Sink>();

        sealer->RegisterTransformedFrameCallback(wire);
        sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(0), 7));
        CLAIM(wire->Wait(1).size() == 1);
        call.sender.CloseChannel();
        for (int i = 0; i < 20000 && last != -EPIPE; i++) {
                sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(1), 7));
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        CLAIM(last == -EPIPE);
        const size_t before = wire->Wait(1).size();
        auto next = call.sender.Channel();
        sealer->Replace(next, call.sender.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS));
        out.reset();
        sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(2), 7));
        CLAIM(wire->Wait(before + 1).size() == before + 1);
}

static void ends_while_frames_are_under_way_harm_nobody() {
        Call call;
        call.Keys();
        for (int round = 0; round < 50; round++) {
                auto out = call.sender.Channel();
                auto sealer = make_ref_counted<framekey::FrameTransformer>(
                        out, call.sender.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS));
                auto wire = make_ref_counted<Sink>();

                sealer->RegisterTransformedFrameCallback(wire);
                for (uint8_t i = 0; i < 5; i++)
                        sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(i), 7));
                if (round % 2)
                        out.reset();
                sealer = nullptr;
        }
}

static const char sframe_suite[] = "cipher-suite=AES_128_GCM_SHA256_128";
static const char sframe_key[] = "sixteen bytes ..";

static void sframe_goes_through_encryptor_and_decryptor() {
        Side sender("sframe", FRAMEKEY_LOCAL, sframe_suite), receiver("sframe", FRAMEKEY_REMOTE, sframe_suite);
        sender.Key("alice", sframe_key, "kid=5");
        auto out = sender.Channel(), in = receiver.Channel();
        framekey::FrameCryptorOptions options;
        options.authenticate_additional = true;
        options.timeout_usec = 5000000;
        auto encryptor = make_ref_counted<framekey::FrameEncryptor>(
                out, sender.Stream(FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8), options);
        auto decryptor = make_ref_counted<framekey::FrameDecryptor>(
                in, receiver.Stream(FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8), options);
        const auto video = STUB_MEDIA::MediaType::VIDEO;
        const Bytes plain = Vp8(1, true), about = { 1, 2, 3 }, wrong = { 1, 2, 4 };
        Bytes sealed(encryptor->GetMaxCiphertextByteSize(video, plain.size())), opened;
        size_t length = 0;

        CLAIM(sealed.size() > plain.size());
        CLAIM(encryptor->Encrypt(video, 7, about, plain, sealed, &length) == 0);
        CLAIM(length > plain.size() && length <= sealed.size());
        sealed.resize(length);
        opened.resize(decryptor->GetMaxPlaintextByteSize(video, sealed.size()));

        using Status = webrtc::FrameDecryptorInterface::Status;
        CLAIM(decryptor->Decrypt(video, {}, about, sealed, opened).status == Status::kRecoverable);
        receiver.Key("alice", sframe_key, "kid=5");
        const auto forged = decryptor->Decrypt(video, {}, wrong, sealed, opened);
        CLAIM(forged.status == Status::kFailedToDecrypt && forged.bytes_written == 0);
        const auto result = decryptor->Decrypt(video, {}, about, sealed, opened);
        CLAIM(result.IsOk() && result.bytes_written == plain.size());
        opened.resize(result.bytes_written);
        CLAIM(opened == plain);

        receiver.CloseChannel();
        Status status = Status::kOk;
        for (int i = 0; i < 1000 && status != Status::kUnknown; i++)
                status = decryptor->Decrypt(video, {}, about, sealed, opened).status;
        CLAIM(status == Status::kUnknown);
}

class Transceiver : public webrtc::RtpTransceiverInterface {
        template <typename Base> struct Half : public Base {
                void SetFrameTransformer(scoped_refptr<webrtc::FrameTransformerInterface> given) override {
                        transformer = given;
                }
                scoped_refptr<webrtc::FrameTransformerInterface> transformer;
        };

      public:
        scoped_refptr<webrtc::RtpSenderInterface> sender() const override {
                return sender_;
        }
        scoped_refptr<webrtc::RtpReceiverInterface> receiver() const override {
                return receiver_;
        }
        scoped_refptr<Half<webrtc::RtpSenderInterface>> sender_ = make_ref_counted<Half<webrtc::RtpSenderInterface>>();
        scoped_refptr<Half<webrtc::RtpReceiverInterface>> receiver_ =
                make_ref_counted<Half<webrtc::RtpReceiverInterface>>();
};

static void the_example_works() {
        Call call;
        call.Keys();
        const std::array<int, 4> fds = call.receiver.Fds();
        Side &receiver = call.receiver;
        auto opening = receiver.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        auto transceiver = make_ref_counted<Transceiver>();
        auto out = call.sender.Channel();
        auto sealer = make_ref_counted<framekey::FrameTransformer>(
                out, call.sender.Stream(FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS));
        auto wire = make_ref_counted<Sink>(), ear = make_ref_counted<Sink>();

        CLAIM(!EncryptCall((const int[]){ 0, 0, 0, 0 }, *transceiver.get(), { 0, opening }));
        CLAIM(EncryptCall(fds.data(), *transceiver.get(), { 0, opening }));
        for (const int fd : fds)
                (void)close(fd);
        sealer->RegisterTransformedFrameCallback(wire);
        sealer->Transform(std::make_unique<AudioFrame>("audio/opus", Opus(3), 7));
        CLAIM(wire->Wait(1).size() == 1);
        transceiver->receiver_->transformer->RegisterTransformedFrameCallback(ear);
        transceiver->receiver_->transformer->Transform(std::make_unique<AudioFrame>("audio/opus", wire->Wait(1)[0], 7));
        CLAIM(ear->Wait(1).size() == 1 && ear->Wait(1)[0] == Opus(3));
}

int main() {
        frames_arrive_in_order_and_as_they_were();
        frames_that_are_under_way_together_keep_their_order();
        h264_takes_its_last_step();
        nothing_goes_out_without_a_key_and_the_app_is_told_once();
        a_call_goes_on_with_another_channel();
        ends_while_frames_are_under_way_harm_nobody();
        sframe_goes_through_encryptor_and_decryptor();
        the_example_works();
        return 0;
}
