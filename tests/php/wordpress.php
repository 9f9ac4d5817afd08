<?php
/**
 * As much of WordPress as the plugin touches, for one process: hooks as WordPress runs them, and a store in memory.
 */

define( 'ABSPATH', dirname( $argv[2] ) . '/' );
define( 'MINUTE_IN_SECONDS', 60 );

if ( ! function_exists( 'mb_substr' ) ) {
	/** WordPress brings its own where PHP was built without the extension. */
	function mb_substr( $string, $start, $length = null ) {
		return implode( '', array_slice( preg_split( '//u', $string, -1, PREG_SPLIT_NO_EMPTY ), $start, $length ) );
	}
}

final class Stage {
	public static array $hooks     = array();
	public static array $done      = array();
	public static array $options   = array();
	public static array $meta      = array();
	public static array $requests  = array();
	public static int $answer      = 200;
	public static int $user        = 0;
	public static string $email    = '';
	public static string $locale   = 'fr_FR';
	public static array $scheduled = array();
	public static array $log       = array();
}

/** What ends a request early: an answer, or a redirect. */
final class Ended extends Exception {
	public $answer;
	public function __construct( $answer ) {
		parent::__construct( 'ended' );
		$this->answer = $answer;
	}
}

function add_filter( $hook, $callback, $priority = 10, $count = 1 ) {
	Stage::$hooks[ $hook ][ $priority ][] = array( $callback, $count );
	return true;
}
function add_action( $hook, $callback, $priority = 10, $count = 1 ) {
	return add_filter( $hook, $callback, $priority, $count );
}
function apply_filters( $hook, $value, ...$more ) {
	$of = Stage::$hooks[ $hook ] ?? array();
	ksort( $of );
	foreach ( array_merge( ...array_values( $of ) ) as list( $callback, $count ) ) {
		$value = $callback( ...array_slice( array_merge( array( $value ), $more ), 0, $count ) );
	}
	return $value;
}
function do_action( $hook, ...$given ) {
	Stage::$done[ $hook ] = ( Stage::$done[ $hook ] ?? 0 ) + 1;
	$of                   = Stage::$hooks[ $hook ] ?? array();
	ksort( $of );
	foreach ( array_merge( ...array_values( $of ) ) as list( $callback, $count ) ) {
		$callback( ...array_slice( $given, 0, $count ) );
	}
}
function did_action( $hook ) {
	return Stage::$done[ $hook ] ?? 0;
}
function register_deactivation_hook( $file, $callback ) {}
function add_shortcode( $name, $callback ) {}
function load_plugin_textdomain( ...$of ) {}
function plugin_basename( $file ) {
	return 'reprise/reprise.php';
}
function plugins_url( $path, $file ) {
	return "https://shop.example/wp-content/plugins/reprise/$path";
}

function get_option( $name, $default = false ) {
	return Stage::$options[ $name ] ?? $default;
}
function update_option( $name, $value ) {
	Stage::$options[ $name ] = $value;
}
function get_transient( $name ) {
	return Stage::$options[ "transient $name" ] ?? false;
}
function set_transient( $name, $value, $seconds ) {
	Stage::$options[ "transient $name" ] = $value;
}
function get_user_meta( $user, $key, $single ) {
	return Stage::$meta[ $user ][ $key ] ?? '';
}
function update_user_meta( $user, $key, $value ) {
	Stage::$meta[ $user ][ $key ] = $value;
}
function delete_user_meta( $user, $key ) {
	unset( Stage::$meta[ $user ][ $key ] );
}
function get_current_user_id() {
	return Stage::$user;
}
function is_user_logged_in() {
	return Stage::$user > 0;
}
function get_user_by( $field, $email ) {
	return $email === Stage::$email ? (object) array( 'ID' => 7 ) : false;
}
function get_userdata( $id ) {
	return (object) array( 'ID' => $id, 'user_email' => Stage::$email );
}

function wp_json_encode( $value, $flags = 0 ) {
	return json_encode( $value, $flags );
}
function untrailingslashit( $text ) {
	return rtrim( $text, '/' );
}
function wp_strip_all_tags( $text, $breaks = false ) {
	return trim( strip_tags( $text ) );
}
function is_email( $text ) {
	return filter_var( $text, FILTER_VALIDATE_EMAIL );
}
function sanitize_email( $text ) {
	return trim( $text );
}
function sanitize_text_field( $text ) {
	return trim( $text );
}
function wp_unslash( $text ) {
	return stripslashes( $text );
}
function absint( $value ) {
	return abs( (int) $value );
}
function determine_locale() {
	return Stage::$locale;
}
function __( $text, $domain ) {
	return $text;
}
function esc_html__( $text, $domain ) {
	return htmlspecialchars( $text, ENT_QUOTES );
}
function esc_html( $text ) {
	return htmlspecialchars( $text, ENT_QUOTES );
}
function esc_attr( $text ) {
	return htmlspecialchars( $text, ENT_QUOTES );
}
function esc_url( $text ) {
	return htmlspecialchars( $text, ENT_QUOTES );
}
function esc_url_raw( $text ) {
	return $text;
}
function add_query_arg( $key, $value, $url = null ) {
	list( $query, $url ) = is_array( $key ) ? array( $key, $value ) : array( array( $key => $value ), $url );
	$pairs               = array();
	foreach ( $query as $name => $text ) {
		$pairs[] = "$name=$text";
	}
	return $url . ( false === strpos( $url, '?' ) ? '?' : '&' ) . implode( '&', $pairs );
}
function nocache_headers() {}
function status_header( $code ) {
	throw new Ended( $code );
}
function wp_send_json( $answer ) {
	throw new Ended( $answer );
}
function wp_redirect( $url, $code ) {
	throw new Ended( $url );
}
function wp_die( $words = '', $title = '', $arguments = array() ) {
	throw new Ended( $arguments['response'] ?? 200 );
}
function check_ajax_referer( $action, $name, $dies ) {
	return 'a-nonce' === ( $_GET[ $name ] ?? '' );
}
function wp_create_nonce( $action ) {
	return 'a-nonce';
}

function wp_remote_post( $url, $arguments ) {
	Stage::$requests[] = array( 'url' => $url ) + $arguments;
	return array( 'code' => Stage::$answer );
}
function is_wp_error( $answer ) {
	return false;
}
function wp_remote_retrieve_response_code( $answer ) {
	return $answer['code'];
}

/** The one table, as rows by their subject; the statements are those that the plugin makes. */
final class Table {
	public string $prefix = 'wp_';
	public array $rows    = array();

	public function get_charset_collate() {
		return '';
	}
	public function esc_like( $text ) {
		return addcslashes( $text, '_%\\' );
	}
	public function prepare( $statement, ...$values ) {
		return array( $statement, $values );
	}
	public function replace( $table, $row ) {
		$this->rows[ $row['subject'] ] = $row;
		return 1;
	}
	public function update( $table, $values, $where ) {
		foreach ( $this->found( $where ) as $subject ) {
			$this->rows[ $subject ] = array_merge( $this->rows[ $subject ], $values );
		}
	}
	public function delete( $table, $where ) {
		foreach ( $this->found( $where ) as $subject ) {
			unset( $this->rows[ $subject ] );
		}
	}
	public function get_results( $prepared ) {
		list( , list( $now, $most ) ) = $prepared;
		$due = array_filter( $this->rows, static fn( $row ) => $row['due_at'] <= $now );
		return array_map( static fn( $row ) => (object) $row, array_slice( array_values( $due ), 0, $most ) );
	}
	public function get_var( $statement ) {
		return $this->rows ? min( array_column( $this->rows, 'due_at' ) ) : null;
	}
	public function query( $prepared ) {
		$part       = stripslashes( trim( $prepared[1][0], '%' ) );
		$this->rows = array_filter( $this->rows, static fn( $row ) => false === strpos( strtolower( $row['body'] ), $part ) );
	}
	private function found( array $where ): array {
		return array_keys( array_filter( $this->rows, static fn( $row ) => array() === array_diff_assoc( $where, $row ) ) );
	}
}

$wpdb = new Table();
function dbDelta( $statement ) {}
