/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file framekey_webrtc.h
 * framekeyd for libwebrtc, as C++ classes that an app hands to its senders and receivers. Header only, C++17, without
 * RTTI or exceptions; link libframekey and the app's own libwebrtc, whose headers are found as <api/...>.
 *
 * framekey::FrameTransformer is a webrtc::FrameTransformerInterface: it knows each frame's codec and type, so that it
 * fits every format. It does not wait: Transform() writes the frame into a slot of the channel, and a thread of the
 * channel hands it on when it is done. framekey::FrameEncryptor and framekey::FrameDecryptor are
 * webrtc::FrameEncryptorInterface and webrtc::FrameDecryptorInterface: they wait for each frame, and are told neither
 * codec nor type, so that they fit formats without clear bytes only, such as SFrame. An app sets one kind or the other
 * at a sender or receiver, never both.
 *
 * All are reference counted by libwebrtc's own helper:
 *
 *   auto channel = framekey::Channel::FromFds(fds, 4);
 *   auto transformer = webrtc::make_ref_counted<framekey::FrameTransformer>(channel, stream);
 *   sender->SetFrameTransformer(transformer);
 *   receiver->SetFrameTransformer(other);
 *
 * Frames without output are dropped here, and counted by the daemon; nothing ever passes in clear. The app's callback
 * is told when the outcome is another one than the frame's before, and when a key frame is wanted.
 */
#ifndef FRAMEKEY_WEBRTC_H
#define FRAMEKEY_WEBRTC_H

#include <framekey.h>

#include <api/crypto/frame_decryptor_interface.h>
#include <api/crypto/frame_encryptor_interface.h>
#include <api/frame_transformer_interface.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace framekey {

namespace internal {

/* libwebrtc has moved its types between namespaces more than once (rtc::, cricket:: and webrtc::). The interfaces say
 * themselves what they take. */
template <typename> struct Arguments;
template <typename Result, typename Class, typename... Types> struct Arguments<Result (Class::*)(Types...)> {
        using Tuple = std::tuple<Types...>;
};
template <size_t N, typename Method> using Argument = std::tuple_element_t<N, typename Arguments<Method>::Tuple>;

using CallbackRef = Argument<0, decltype(&webrtc::FrameTransformerInterface::RegisterTransformedFrameCallback)>;
using EncryptMethod = decltype(&webrtc::FrameEncryptorInterface::Encrypt);
using DecryptMethod = decltype(&webrtc::FrameDecryptorInterface::Decrypt);
using DataView = decltype(std::declval<const webrtc::TransformableFrameInterface &>().GetData());

inline framekey_codec CodecOf(const std::string &mime_type) {
        static const struct {
                const char *subtype;
                framekey_codec codec;
        } codecs[] = {
                { "opus", FRAMEKEY_CODEC_OPUS }, { "red", FRAMEKEY_CODEC_RED },   { "PCMU", FRAMEKEY_CODEC_PCMU },
                { "PCMA", FRAMEKEY_CODEC_PCMA }, { "G722", FRAMEKEY_CODEC_G722 }, { "VP8", FRAMEKEY_CODEC_VP8 },
                { "VP9", FRAMEKEY_CODEC_VP9 },   { "AV1", FRAMEKEY_CODEC_AV1 },   { "H264", FRAMEKEY_CODEC_H264 },
                { "H265", FRAMEKEY_CODEC_H265 },
        };
        const size_t slash = mime_type.find('/');

        if (slash != std::string::npos)
                for (const auto &row : codecs)
                        if (strcasecmp(row.subtype, mime_type.c_str() + slash + 1) == 0)
                                return row.codec;
        return FRAMEKEY_CODEC_UNKNOWN;
}

} // namespace internal

/** What an app may want to know of a frame: `verdict` is 0, an enum framekey_verdict, or a negative errno. */
struct Outcome {
        int verdict = 0;
        uint32_t stream = 0;
        uint32_t flags = 0; /* enum framekey_result_flags */
        const char *text() const {
                return framekey_verdict_text(verdict);
        }
};

/** Called in the channel's thread, or in libwebrtc's that encrypts: when the verdict is another one than that of the
 * stream's frame before, and for each frame that asks for a key frame (FRAMEKEY_RESULT_KEYFRAME_WANTED: of our encoder;
 * FRAMEKEY_RESULT_REQUEST_KEYFRAME: of the sender, by RTCP). Must not wait. */
using OutcomeCallback = std::function<void(const Outcome &)>;

/**
 * A channel and its thread, which takes results and hands them on. All transformers of a call share one; it lives as
 * long as the last of them. An encryptor or decryptor waits for its frames, and wants a channel for itself.
 */
class Channel : public std::enable_shared_from_this<Channel> {
      public:
        using Done = std::function<void(const framekey_result &, std::vector<uint8_t>)>;

        /** The descriptors of OpenChannel's reply; the caller closes them. nullptr, and errno, if they are no
         * channel's. */
        static std::shared_ptr<Channel> FromFds(const int *fds, size_t n_fds) {
                framekey_channel *handle = nullptr;
                const int r = framekey_channel_new_from_fds(&handle, fds, n_fds);

                if (r < 0) {
                        errno = -r;
                        return nullptr;
                }
                return Take(handle);
        }
        /** Takes a channel over; nobody else may reap it. */
        static std::shared_ptr<Channel> Take(framekey_channel *handle) {
                return std::shared_ptr<Channel>(new Channel(handle));
        }

        ~Channel() {
                if (thread_.joinable()) {
                        (void)eventfd_write(loop_->stop, 1);
                        if (thread_.get_id() == std::this_thread::get_id())
                                thread_.detach(); /* the last transformer went in its own callback */
                        else
                                thread_.join();
                }
                loop_->Close();
        }
        Channel(const Channel &) = delete;
        Channel &operator=(const Channel &) = delete;

        framekey_channel *handle() const {
                return loop_->handle;
        }

        /** Sends a frame on its way; `done` is called once with what became of it, unless the channel goes first.
         * -EAGAIN: too many frames are under way, drop this one. */
        int Submit(const framekey_frame &frame, const uint8_t *data, size_t length, Done done) {
                uint32_t slot;
                void *buffer;
                int r = Start();

                if (r >= 0)
                        r = framekey_reserve(loop_->handle, &frame, length, &slot, &buffer);
                if (r < 0)
                        return r;
                if (length > 0)
                        memcpy(buffer, data, length);
                std::unique_lock<std::mutex> lock(loop_->mutex);
                if (loop_->ended < 0) {
                        framekey_release(loop_->handle, slot);
                        return loop_->ended;
                }
                const uint64_t cookie = loop_->next_cookie++;
                loop_->waiting.emplace(cookie, std::move(done));
                lock.unlock();
                r = framekey_submit(loop_->handle, slot, &frame, length, cookie);
                if (r < 0)
                        framekey_release(loop_->handle, slot);
                else
                        r = framekey_flush(loop_->handle);
                /* Unless the thread has failed it already, the caller does. */
                return r < 0 && loop_->Find(cookie) ? r : 0;
        }

      private:
        /* What the thread works on, so that it may outlive the channel for a moment. */
        struct Loop {
                framekey_channel *handle = nullptr;
                int stop = -1; /* eventfd, since the thread began */
                std::mutex mutex;
                std::unordered_map<uint64_t, Done> waiting; /* under the mutex, as what follows */
                uint64_t next_cookie = 0;
                int ended = 0; /* negative errno: nobody reaps any more */

                explicit Loop(framekey_channel *channel) : handle(channel) {
                }
                ~Loop() {
                        framekey_channel_free(handle);
                        if (stop >= 0)
                                (void)close(stop);
                }
                void Close() {
                        std::lock_guard<std::mutex> lock(mutex);
                        waiting.clear();
                }

                Done Find(uint64_t cookie) {
                        std::lock_guard<std::mutex> lock(mutex);
                        const auto found = waiting.find(cookie);
                        Done done;

                        if (found != waiting.end()) {
                                done = std::move(found->second);
                                waiting.erase(found);
                        }
                        return done;
                }

                std::vector<uint8_t> TakeOutput(framekey_result &result) {
                        std::vector<uint8_t> out;
                        size_t length = 0;
                        int r = 0;

                        if (framekey_verdict_delivers(result.verdict)) {
                                /* The codec's last step can make it longer. */
                                out.resize(framekey_sealed_max(handle, result.stream, result.length) + result.length);
                                r = framekey_take(handle, &result, out.data(), out.size(), &length);
                                if (r < 0)
                                        result.verdict = r;
                        }
                        if (r < 0 || !framekey_verdict_delivers(result.verdict))
                                framekey_release(handle, result.slot);
                        out.resize(length);
                        return out;
                }

                /* All results that are there. Negative: the channel has ended. */
                int Reap() {
                        framekey_result result = {};
                        int r;

                        result.size = sizeof(result);
                        while ((r = framekey_reap(handle, &result)) > 0) {
                                std::vector<uint8_t> out = TakeOutput(result);
                                Done done = Find(result.cookie);

                                if (done)
                                        done(result, std::move(out));
                        }
                        return r;
                }

                /* Nobody waits for what will not come. */
                void FailAll(int error) {
                        std::unordered_map<uint64_t, Done> left;
                        framekey_result result = {};

                        {
                                std::lock_guard<std::mutex> lock(mutex);
                                left.swap(waiting);
                                ended = error;
                        }
                        result.verdict = error;
                        for (auto &entry : left)
                                entry.second(result, {});
                }
        };

        explicit Channel(framekey_channel *handle) : loop_(std::make_shared<Loop>(handle)) {
        }

        /* The thread comes with the first frame: those who wait for their frames need none. */
        int Start() {
                std::lock_guard<std::mutex> lock(start_mutex_);

                if (thread_.joinable())
                        return 0;
                const int fd = framekey_channel_get_fd(loop_->handle);
                if (fd < 0)
                        return fd;
                loop_->stop = eventfd(0, EFD_CLOEXEC);
                if (loop_->stop < 0)
                        return -errno;
                thread_ = std::thread(Run, loop_, fd);
                return 0;
        }

        static void Run(std::shared_ptr<Loop> loop, int fd) {
                pollfd fds[] = { { fd, POLLIN, 0 }, { loop->stop, POLLIN, 0 } };
                int r;

                /* The descriptor tells of the next result only after all were taken. */
                while ((r = loop->Reap()) >= 0 && !(fds[1].revents & POLLIN))
                        if (poll(fds, 2, -1) < 0 && errno != EINTR)
                                break;
                if (r < 0) {
                        loop->FailAll(r);
                        while (!(fds[1].revents & POLLIN) && (poll(&fds[1], 1, -1) >= 0 || errno == EINTR))
                                ;
                }
        }

        std::shared_ptr<Loop> loop_;
        std::mutex start_mutex_;
        std::thread thread_;
};

/** Between encoder and packetizer, or depacketizer and decoder: the stream's direction decides. */
class FrameTransformer : public webrtc::FrameTransformerInterface {
      public:
        FrameTransformer(std::shared_ptr<Channel> channel, uint32_t stream, OutcomeCallback on_outcome = nullptr)
            : state_(std::make_shared<State>()), channel_(std::move(channel)) {
                state_->stream = stream;
                state_->on_outcome = std::move(on_outcome);
        }

        /** Goes on with another channel, after the first was closed or the daemon started again. Frames that are under
         * way on the first are dropped. */
        void Replace(std::shared_ptr<Channel> channel, uint32_t stream) {
                std::lock_guard<std::mutex> lock(state_->mutex);

                state_->queue.clear();
                state_->stream = stream;
                channel_.swap(channel);
        }

        void Transform(std::unique_ptr<webrtc::TransformableFrameInterface> frame) override {
                std::shared_ptr<State> state = state_;
                auto job = std::make_shared<Job>();
                std::shared_ptr<Channel> channel;
                framekey_frame about = {};
                int r;

                job->frame = std::move(frame);
                {
                        std::lock_guard<std::mutex> lock(state->mutex);
                        Describe(*job->frame, state->stream, &about);
                        channel = channel_;
                        /* In line before it is submitted: results may come in any order, frames must not. */
                        state->queue.push_back(job);
                }
                const internal::DataView data = job->frame->GetData();
                r = channel ? channel->Submit(about, data.data(), data.size(),
                                              [state, job](const framekey_result &result, std::vector<uint8_t> out) {
                                                      Finish(*state, *job, result, std::move(out));
                                              })
                            : -EPIPE;
                if (r < 0) {
                        framekey_result result = {};

                        result.verdict = r;
                        Finish(*state, *job, result, {});
                }
        }

        void RegisterTransformedFrameCallback(internal::CallbackRef callback) override {
                std::lock_guard<std::mutex> lock(state_->mutex);
                state_->callback = callback;
        }
        void RegisterTransformedFrameSinkCallback(internal::CallbackRef callback, uint32_t ssrc) override {
                std::lock_guard<std::mutex> lock(state_->mutex);
                state_->sinks[ssrc] = callback;
        }
        void UnregisterTransformedFrameCallback() override {
                std::lock_guard<std::mutex> lock(state_->mutex);
                state_->callback = internal::CallbackRef();
        }
        void UnregisterTransformedFrameSinkCallback(uint32_t ssrc) override {
                std::lock_guard<std::mutex> lock(state_->mutex);
                state_->sinks.erase(ssrc);
        }

      private:
        struct Job {
                std::unique_ptr<webrtc::TransformableFrameInterface> frame;
                std::vector<uint8_t> out;
                bool done = false;
                bool delivered = false;
        };
        /* What the channel's thread needs, also when the transformer is gone. */
        struct State {
                std::mutex mutex; /* of all that follows */
                uint32_t stream = 0;
                int last_verdict = 0;
                std::deque<std::shared_ptr<Job>> queue;
                internal::CallbackRef callback;
                std::map<uint32_t, internal::CallbackRef> sinks;
                OutcomeCallback on_outcome;
                std::mutex delivery; /* one thread at a time hands frames on, in order */
        };

        static void Describe(webrtc::TransformableFrameInterface &frame, uint32_t stream, framekey_frame *about) {
                const std::string mime_type = frame.GetMimeType();

                about->size = sizeof(*about);
                about->stream = stream;
                about->codec = static_cast<uint8_t>(internal::CodecOf(mime_type));
                about->ssrc = frame.GetSsrc();
                about->rtp_timestamp = frame.GetTimestamp();
                if (strncasecmp(mime_type.c_str(), "video/", 6) == 0) {
                        /* There is no RTTI in libwebrtc; by their type frames of video are of this class. */
                        auto &video = static_cast<webrtc::TransformableVideoFrameInterface &>(frame);
                        about->frame_type = video.IsKeyFrame() ? FRAMEKEY_FRAME_KEY : FRAMEKEY_FRAME_DELTA;
                }
        }

        static void Finish(State &state, Job &job, const framekey_result &result, std::vector<uint8_t> out) {
                const uint32_t wanted = FRAMEKEY_RESULT_KEYFRAME_WANTED | FRAMEKEY_RESULT_REQUEST_KEYFRAME;
                OutcomeCallback tell;

                {
                        std::lock_guard<std::mutex> lock(state.mutex);
                        job.done = true;
                        job.delivered = framekey_verdict_delivers(result.verdict);
                        job.out = std::move(out);
                        if (result.verdict != state.last_verdict || (result.flags & wanted))
                                tell = state.on_outcome;
                        state.last_verdict = result.verdict;
                }
                Deliver(state);
                if (tell) {
                        Outcome outcome;
                        outcome.verdict = result.verdict;
                        outcome.stream = result.stream;
                        outcome.flags = result.flags;
                        tell(outcome);
                }
        }

        /* The head of the line, as far as it is done. */
        static void Deliver(State &state) {
                std::lock_guard<std::mutex> one(state.delivery);

                for (;;) {
                        std::shared_ptr<Job> job;
                        internal::CallbackRef callback;

                        {
                                std::lock_guard<std::mutex> lock(state.mutex);
                                if (state.queue.empty() || !state.queue.front()->done)
                                        return;
                                job = std::move(state.queue.front());
                                state.queue.pop_front();
                                const auto sink = state.sinks.find(job->frame->GetSsrc());
                                callback = sink != state.sinks.end() ? sink->second : state.callback;
                        }
                        if (!job->delivered || !callback)
                                continue;
                        job->frame->SetData(internal::DataView(job->out.data(), job->out.size()));
                        callback->OnTransformedFrame(std::move(job->frame));
                }
        }

        std::shared_ptr<State> state_;
        std::shared_ptr<Channel> channel_; /* under the state's mutex */
};

/** What the two below have in common. */
struct FrameCryptorOptions {
        uint64_t timeout_usec = 100000;       /**< a frame that takes longer is dropped */
        bool authenticate_additional = false; /**< as SFrame's metadata; both ends must do it, and both be libwebrtc */
        OutcomeCallback on_outcome;
};

namespace internal {

/* The part of encryptor and decryptor that is not libwebrtc's. */
class Cryptor {
      public:
        Cryptor(std::shared_ptr<Channel> channel, uint32_t stream, FrameCryptorOptions options)
            : channel_(std::move(channel)), stream_(stream), options_(std::move(options)) {
        }

        template <typename Function, typename Additional, typename In, typename Out>
        int Run(Function function, uint32_t ssrc, const Additional &additional, const In &in, const Out &out,
                size_t *ret_length) {
                framekey_frame about = {};
                framekey_result result = {};
                size_t length = 0;
                int r;

                about.size = sizeof(about);
                about.stream = stream_;
                about.ssrc = ssrc;
                if (options_.authenticate_additional && additional.size() > 0) {
                        about.metadata = additional.data();
                        about.metadata_len = static_cast<uint32_t>(additional.size());
                }
                result.size = sizeof(result);
                r = function(channel_->handle(), &about, in.data(), in.size(), out.data(), out.size(), &length, &result,
                             options_.timeout_usec);
                *ret_length = framekey_verdict_delivers(r) ? length : 0;
                Tell(r, result.flags);
                return r;
        }

        size_t SealedMax(size_t length) const {
                return framekey_sealed_max(channel_->handle(), stream_, length);
        }
        size_t OpenedMax(size_t length) const {
                return framekey_opened_max(channel_->handle(), stream_, length);
        }

      private:
        void Tell(int verdict, uint32_t flags) {
                const uint32_t wanted = FRAMEKEY_RESULT_KEYFRAME_WANTED | FRAMEKEY_RESULT_REQUEST_KEYFRAME;
                bool changed;

                {
                        std::lock_guard<std::mutex> lock(mutex_);
                        changed = verdict != last_verdict_;
                        last_verdict_ = verdict;
                }
                if (options_.on_outcome && (changed || (flags & wanted))) {
                        Outcome outcome;
                        outcome.verdict = verdict;
                        outcome.stream = stream_;
                        outcome.flags = flags;
                        options_.on_outcome(outcome);
                }
        }

        const std::shared_ptr<Channel> channel_;
        const uint32_t stream_;
        const FrameCryptorOptions options_;
        std::mutex mutex_;
        int last_verdict_ = 0;
};

} // namespace internal

/** For RtpSenderInterface::SetFrameEncryptor(). `stream` encrypts. */
class FrameEncryptor : public webrtc::FrameEncryptorInterface {
        template <size_t N> using Argument = internal::Argument<N, internal::EncryptMethod>;

      public:
        FrameEncryptor(std::shared_ptr<Channel> channel, uint32_t stream, FrameCryptorOptions options = {})
            : cryptor_(std::move(channel), stream, std::move(options)) {
        }

        /** 0, a verdict, or a negative errno; all but 0 have libwebrtc drop the frame. */
        int Encrypt(Argument<0> media_type, uint32_t ssrc, Argument<2> additional_data, Argument<3> frame,
                    Argument<4> encrypted_frame, size_t *bytes_written) override {
                (void)media_type;
                return cryptor_.Run(framekey_encrypt, ssrc, additional_data, frame, encrypted_frame, bytes_written);
        }
        size_t GetMaxCiphertextByteSize(Argument<0> media_type, size_t frame_size) override {
                (void)media_type;
                return cryptor_.SealedMax(frame_size);
        }

      private:
        internal::Cryptor cryptor_;
};

/** For RtpReceiverInterface::SetFrameDecryptor(). `stream` decrypts. */
class FrameDecryptor : public webrtc::FrameDecryptorInterface {
        template <size_t N> using Argument = internal::Argument<N, internal::DecryptMethod>;

      public:
        FrameDecryptor(std::shared_ptr<Channel> channel, uint32_t stream, FrameCryptorOptions options = {})
            : cryptor_(std::move(channel), stream, std::move(options)) {
        }

        Result Decrypt(Argument<0> media_type, Argument<1> csrcs, Argument<2> additional_data,
                       Argument<3> encrypted_frame, Argument<4> frame) override {
                size_t length = 0;
                const int r = cryptor_.Run(framekey_decrypt, 0, additional_data, encrypted_frame, frame, &length);

                (void)media_type;
                (void)csrcs;
                return Result(StatusOf(r), length);
        }
        size_t GetMaxPlaintextByteSize(Argument<0> media_type, size_t encrypted_frame_size) override {
                (void)media_type;
                return cryptor_.OpenedMax(encrypted_frame_size);
        }

        /** Recoverable is what the next frame or key may mend; libwebrtc asks for a key frame then, and logs nothing.
         */
        static Status StatusOf(int verdict) {
                if (framekey_verdict_delivers(verdict))
                        return Status::kOk;
                switch (verdict) {
                case FRAMEKEY_VERDICT_UNKNOWN_KEY:
                case FRAMEKEY_VERDICT_TOO_OLD:
                case FRAMEKEY_VERDICT_BUDGET:
                case FRAMEKEY_VERDICT_LOCKED:
                case -EAGAIN:
                case -ETIMEDOUT:
                        return Status::kRecoverable;
                default:
                        return verdict > 0 ? Status::kFailedToDecrypt : Status::kUnknown;
                }
        }

      private:
        internal::Cryptor cryptor_;
};

} // namespace framekey

#endif
