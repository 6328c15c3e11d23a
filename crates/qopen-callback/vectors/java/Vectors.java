import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Opens each test vector: javac -d out *.java && java -cp out Vectors ../envelopes.json */
final class Vectors {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Map<?, ?> file = (Map<?, ?>) Json.read(Files.readString(Path.of(args[0])));
        for (Object element : (List<?>) file.get("cases")) {
            Map<?, ?> it = (Map<?, ?>) element;
            byte[] body = it.get("body") instanceof String text
                    ? text.getBytes(StandardCharsets.UTF_8)
                    : Base64.getDecoder().decode((String) it.get("body_base64"));
            String result;
            try {
                byte[] payload = Callback.open(body, (String) it.get("app_key"),
                        (String) it.get("token"), (String) it.get("encoding_aes_key"));
                MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
                result = HexFormat.of().formatHex(sha256.digest(payload));
            } catch (Callback.Refused refused) {
                result = "refused: " + refused.getMessage();
            }
            out.println(it.get("name") + "\t" + result);
        }
    }
}
