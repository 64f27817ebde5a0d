// grpc.testing.TestService on gRPC C++, for our client to call.
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

#include "common.h"

using namespace grpc::testing;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

namespace
{

void echo_metadata(ServerContext *context)
{
    const auto &given = context->client_metadata();
    auto initial = given.find(peer::kInitial), trailing = given.find(peer::kTrailing);
    if (initial != given.end())
        context->AddInitialMetadata(peer::kInitial,
                                    {initial->second.data(), initial->second.size()});
    if (trailing != given.end())
        context->AddTrailingMetadata(peer::kTrailing,
                                     {trailing->second.data(), trailing->second.size()});
}

bool is_as_expected(ServerContext *context, bool has, const BoolValue &expected)
{
    return !has || expected.value() == peer::was_compressed(*context);
}

Status bad_compression()
{
    return Status(StatusCode::INVALID_ARGUMENT, "compressed or not, against expectation");
}

Status asked(const EchoStatus &status)
{
    return Status(static_cast<StatusCode>(status.code()), status.message());
}

StreamingOutputCallResponse answer(const ResponseParameters &parameters)
{
    StreamingOutputCallResponse response;
    std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
    response.mutable_payload()->set_body(std::string(parameters.size(), '\0'));
    return response;
}

template <typename Stream> void write_answers(Stream *stream, const StreamingOutputCallRequest &in)
{
    for (const auto &parameters : in.response_parameters()) {
        grpc::WriteOptions options;
        if (!parameters.compressed().value())
            options.set_no_compression();
        if (!stream->Write(answer(parameters), options))
            return;
    }
}

class Service final : public TestService::Service
{
    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override
    {
        echo_metadata(context);
        return Status::OK;
    }

    Status UnaryCall(ServerContext *context, const SimpleRequest *in, SimpleResponse *out) override
    {
        echo_metadata(context);
        if (!is_as_expected(context, in->has_expect_compressed(), in->expect_compressed()))
            return bad_compression();
        if (in->response_status().code() != 0)
            return asked(in->response_status());
        context->set_compression_algorithm(in->response_compressed().value() ? GRPC_COMPRESS_GZIP
                                                                             : GRPC_COMPRESS_NONE);
        out->mutable_payload()->set_body(std::string(in->response_size(), '\0'));
        if (in->fill_server_id())
            out->set_server_id("cpp");
        return Status::OK;
    }

    Status StreamingOutputCall(ServerContext *context, const StreamingOutputCallRequest *in,
                               grpc::ServerWriter<StreamingOutputCallResponse> *writer) override
    {
        echo_metadata(context);
        for (const auto &parameters : in->response_parameters()) {
            if (parameters.compressed().value())
                context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        }
        write_answers(writer, *in);
        return Status::OK;
    }

    Status StreamingInputCall(ServerContext *context,
                              grpc::ServerReader<StreamingInputCallRequest> *reader,
                              StreamingInputCallResponse *out) override
    {
        StreamingInputCallRequest in;
        int total = 0;
        echo_metadata(context);
        while (reader->Read(&in)) {
            if (!is_as_expected(context, in.has_expect_compressed(), in.expect_compressed()))
                return bad_compression();
            total += static_cast<int>(in.payload().body().size());
        }
        out->set_aggregated_payload_size(total);
        return Status::OK;
    }

    using Duplex =
        grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>;

    Status FullDuplexCall(ServerContext *context, Duplex *stream) override
    {
        StreamingOutputCallRequest in;
        echo_metadata(context);
        while (stream->Read(&in)) {
            if (in.response_status().code() != 0)
                return asked(in.response_status());
            write_answers(stream, in);
        }
        return Status::OK;
    }

    Status HalfDuplexCall(ServerContext *context, Duplex *stream) override
    {
        std::vector<StreamingOutputCallRequest> requests;
        StreamingOutputCallRequest in;
        echo_metadata(context);
        while (stream->Read(&in))
            requests.push_back(in);
        for (const auto &request : requests)
            write_answers(stream, request);
        return Status::OK;
    }
};

} // namespace

int main(int argc, char **argv)
{
    peer::Flags flags(argc, argv);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (flags.on("use_tls")) {
        grpc::SslServerCredentialsOptions options;
        options.pem_key_cert_pairs.push_back(
            {peer::credential("server1.key"), peer::credential("server1.pem")});
        credentials = grpc::SslServerCredentials(options);
    }
    Service service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("0.0.0.0:" + flags.text("port"), credentials);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr)
        return 1;
    int number;
    sigwait(&signals, &number);
    server->Shutdown(std::chrono::system_clock::now());
    return 0;
}
